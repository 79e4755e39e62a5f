//! Programs and the delay queue use the same 64 shards, so that one script changes both.

use crate::message::Shard;

impl From<Shard> for delay_queue::Shard {
    fn from(shard: Shard) -> Self {
        Self::new(shard.get()).unwrap_or_else(|error| unreachable!("{error}"))
    }
}

impl From<delay_queue::Shard> for Shard {
    fn from(shard: delay_queue::Shard) -> Self {
        Self::new(shard.get()).unwrap_or_else(|error| unreachable!("{error}"))
    }
}
