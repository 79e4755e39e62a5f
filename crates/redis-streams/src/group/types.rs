//! Settings of a consumer, and what it returns.

use std::time::Duration;

use redis_link::{LinkError, Reply};

use crate::Entry;

/// Settings of a consumer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSettings {
    /// How many entries one read returns at most (1 to 1,000).
    pub batch: usize,
    /// How long one read waits at the server for an entry.
    pub block: Duration,
    /// Entries that another consumer has held for so long are taken over: it died. Longer than the
    /// handling of a batch.
    pub idle: Duration,
    /// An entry delivered more often without an acknowledgement is parked: it may crash its
    /// consumers.
    pub max_deliveries: u32,
    /// Consumers without entries that were silent for so long are deleted. Longer than `block`.
    pub forget: Duration,
    /// Keeps the order: no entry is delivered while an earlier one is unacknowledged by any
    /// consumer. Then one batch is in flight in the whole group, and that of a dead consumer delays
    /// the rest until it is taken over.
    pub ordered: bool,
}

impl Default for GroupSettings {
    fn default() -> Self {
        Self {
            batch: 100,
            block: Duration::from_secs(1),
            idle: Duration::from_secs(30),
            max_deliveries: 5,
            forget: Duration::from_secs(3600),
            ordered: false,
        }
    }
}

/// An entry that a consumer holds until it is acknowledged, parked or returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The entry.
    pub entry: Entry,
    /// From 1, this delivery included.
    pub deliveries: u32,
}

impl Delivery {
    /// Reads an entry that no consumer held before.
    pub(super) fn first(reply: &mut Reply) -> Result<Self, LinkError> {
        Ok(Self {
            entry: Entry::read(reply)?,
            deliveries: 1,
        })
    }
}

/// What became of an entry that a consumer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// This consumer holds it.
    Held,
    /// It is acknowledged, or another consumer has taken it over.
    Gone,
    /// It was deleted from the stream by other means, and the group no longer has it. This raises
    /// the alarm `stream_entries_lost`.
    Deleted,
}

/// Events of a consumer since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GroupCounts {
    /// Entries taken over from dead consumers.
    pub taken_over: u64,
    /// Entries parked because they were delivered too often.
    pub parked: u64,
    /// Pending entries that were deleted from the stream by other means, found by a take-over or by
    /// a restart. Each raises the alarm `stream_entries_lost`.
    pub lost: u64,
    /// Dead consumers deleted.
    pub deleted: u64,
    /// How often the group was missing and was created again. Each raises the alarm
    /// `stream_group_recreated`.
    pub recreated: u64,
}
