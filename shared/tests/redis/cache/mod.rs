//! Programs in caches, against real Redis.

pub(crate) mod environment;
mod follow;
mod outage;
mod reading;
mod shared_cache;
#[cfg(feature = "postgres")]
mod stopped;
