//! How far a mapping is and how it fares, as the status shows it. `progress` gathers it, `log` holds what is known of a partition's log.

mod progress;
#[cfg(test)]
mod progress_tests;

use serde::Serialize;

use event_sources::health::SourceHealth;
pub(super) use event_sources::kafka::LogEnd;
use event_sources::stream::Offset;
pub(super) use progress::{Progress, TopicFound};

/// One mapping, now.
#[derive(Debug, Clone, Default, Serialize)]
pub struct MappingStatus {
    /// Logical id.
    pub mapping: String,
    /// Function's logical id.
    pub function: String,
    /// Consumer group.
    pub group: String,
    /// Topics that it reads.
    pub topics: Vec<String>,
    /// Records that are over with: done, or discarded.
    pub records_done: u64,
    /// Records dropped by the filters; one that is read again counts again.
    pub records_filtered: u64,
    /// Batches handed to the function.
    pub batches: u64,
    /// Batches that failed, whole or in part, and were or will be tried again.
    pub failed_batches: u64,
    /// Records given up by a limit of the mapping.
    pub records_discarded: u64,
    /// Failure records that the destination took only without their payload or details.
    pub failure_records_reduced: u64,
    /// Records that were given up although no limit of the mapping says so, and that no destination holds: larger than an event, or with a
    /// failure record that the destination refuses in every form.
    pub records_lost: u64,
    /// Offsets that were deleted from their topics (retention, `DeleteRecords`) before this group read them.
    pub records_deleted_unread: u64,
    /// Partitions that were read from their start because their log is another one than before: the topic was created again, or the log
    /// was cut.
    pub logs_replaced: u64,
    /// The worst state of the mapping itself and of its partitions.
    pub health: SourceHealth,
    /// The reason of that state, where the mapping is unwell.
    pub problem: Option<String>,
    /// Why the destination takes no failure records at present; a partition waits for it.
    pub destination_problem: Option<String>,
    /// The partitions this host owns.
    pub partitions: Vec<PartitionStatus>,
}

/// One partition.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PartitionStatus {
    /// Topic.
    pub topic: String,
    /// Partition number.
    pub partition: i32,
    /// Next offset to be done: behind transaction markers and records of aborted transactions. `None` until the brokers have answered.
    pub position: Option<Offset>,
    /// The log's end as last reported: the high watermark.
    pub end: Option<Offset>,
    /// The last stable offset: where the first open transaction begins, else the end. Nothing behind it can be read.
    pub stable_end: Option<Offset>,
    /// Offsets between the position and the last stable offset.
    pub lag: Option<i64>,
    /// Records held by this host.
    pub held: usize,
    /// A slice is in flight.
    pub in_flight: bool,
    /// An operator holds it back.
    pub paused: bool,
    /// How it fares.
    pub health: SourceHealth,
}
