//! Redis Streams on real Redis.
//!
//! Tests share the Redis of `REDIS_GATE_URL` or `REDIS_URL` (`scripts/servers start redis`), each
//! with its own stream. Tests that restart or fill a server start a private one.

mod broadcast;
mod cluster;
mod environment;
mod failover;
mod gaps;
mod group;
mod poison;
mod publishing;
mod recovery;
