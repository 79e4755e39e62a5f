//! A source as its declaration describes it.

use std::time::Duration;

use event_sources::filter::Filters;
use event_sources::redis_stream::RedisStreamSettings;
use redis_streams::GroupSettings;

use super::encode::ENVELOPE;
use crate::invocation::MAX_PAYLOAD;

/// Maximum wait of one read for an entry: keeps a drain short.
const POLL: Duration = Duration::from_secs(1);

/// Entries of one read at most, as the client limits it.
const MAX_READ: usize = 1_000;

/// Nothing is read while so many entries are held, or while their records have so many bytes.
const MAX_HELD: usize = 10_000;
const MAX_HELD_BYTES: usize = 64 * 1024 * 1024;

/// Pauses after a failure: the first, which doubles, and the longest.
const BACKOFF: Duration = Duration::from_millis(100);
const MAX_BACKOFF: Duration = Duration::from_secs(30);

/// How often the idle time of an entry is restarted within the time after which another consumer
/// takes it over.
const HOLDS: u32 = 4;

/// Consumers without entries that were silent for so long are deleted from the group.
const FORGET: Duration = Duration::from_secs(24 * 3_600);

/// A source as its declaration describes it.
#[derive(Debug, Clone)]
pub(super) struct RedisStreamMapping {
    /// Name of the source.
    pub(super) id: String,
    /// Logical id of the function.
    pub(super) function: String,
    pub(super) enabled: bool,
    /// Key of the stream.
    pub(super) stream: String,
    /// Name of the stream in the records.
    pub(super) name: String,
    /// Name of the consumer group.
    pub(super) group: String,
    pub(super) batch_size: u32,
    pub(super) window: Duration,
    /// Answers are read as partial batch responses.
    pub(super) partial_responses: bool,
    pub(super) bisect: bool,
    /// `None`: without limit.
    pub(super) max_retries: Option<u32>,
    /// `None`: without limit.
    pub(super) max_age: Option<Duration>,
    pub(super) max_concurrency: Option<u32>,
    /// Entries of a consumer that was silent for so long are taken over by another one.
    pub(super) idle: Duration,
    pub(super) filters: Option<Filters>,
}

impl RedisStreamMapping {
    /// The stream of its dead letters.
    pub(super) fn dead_stream(&self) -> String {
        format!("{}-dead", self.stream)
    }

    /// Settings of the machine. `concurrency`: the function's.
    pub(super) fn machine(&self, concurrency: usize) -> RedisStreamSettings {
        let own = self.max_concurrency.map_or(usize::MAX, |max| max as usize);
        RedisStreamSettings {
            batch_size: self.batch_size as usize,
            window: self.window,
            max_payload: MAX_PAYLOAD,
            envelope: ENVELOPE,
            concurrency: concurrency.min(own),
            bisect: self.bisect,
            max_retries: self.max_retries,
            max_age: self.max_age,
            max_read: MAX_READ,
            max_held: MAX_HELD,
            max_held_bytes: MAX_HELD_BYTES,
            poll: POLL,
            hold_interval: self.idle / HOLDS,
            backoff: BACKOFF,
            max_backoff: MAX_BACKOFF,
        }
    }

    /// Settings of the consumer.
    pub(super) fn consumer(&self) -> GroupSettings {
        GroupSettings {
            batch: MAX_READ,
            block: POLL,
            idle: self.idle,
            max_deliveries: self
                .max_retries
                .map_or(u32::MAX, |retries| retries.saturating_add(1)),
            forget: FORGET,
            ordered: false,
        }
    }
}
