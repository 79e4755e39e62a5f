//! The gate and the cache on real Redis.
//!
//! Most tests share the Redis of `REDIS_GATE_URL` or `REDIS_URL` (default
//! `redis://127.0.0.1:16379`; `scripts/servers start redis`), each under a prefix of its own. Those
//! that flush, fill, restart or stop a server start a private one.

mod accepting;
mod audit;
mod best;
#[cfg(feature = "cache")]
mod cache;
mod cluster;
mod confirmed;
mod earlier_version;
mod environment;
mod failover;
mod install;
mod kept_keys;
#[cfg(feature = "cache")]
mod limits;
mod model;
mod moving;
mod orders;
mod outage;
mod program_seats;
mod replicas;
mod reserve;
mod room;
mod server_change;
mod settled_together;
mod waiting;
