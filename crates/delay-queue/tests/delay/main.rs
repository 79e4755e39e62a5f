//! The delay queue on real Redis.
//!
//! Tests share the Redis of `REDIS_GATE_URL` or `REDIS_URL` (`scripts/servers start redis`), each
//! under its own prefix. Tests that restart a server start a private one.

mod claims;
mod cluster;
mod environment;
mod failover;
mod parking;
mod scheduling;
mod worker;
