//! Programs in caches, against real Redis.

mod follow;
mod outage;
mod reading;
mod shared_cache;
mod stage;
#[cfg(feature = "postgres")]
mod stopped;
