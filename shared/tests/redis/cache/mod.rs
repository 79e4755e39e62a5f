//! Programs in caches, against real Redis.

mod environment;
mod follow;
mod outage;
mod reading;
mod shared_cache;
#[cfg(feature = "postgres")]
mod stopped;
