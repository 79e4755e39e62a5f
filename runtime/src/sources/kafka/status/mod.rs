//! Status of a mapping: counters, positions and health. `progress` collects them, `owned` has the
//! state of an assigned partition, `problems` has the texts, `report` is what the host shows.

mod owned;
mod problems;
mod progress;
#[cfg(test)]
mod progress_tests;
mod report;

use event_sources::health::SourceHealth;
use event_sources::stream::Offset;
use serde::Serialize;

pub(super) use event_sources::kafka::LogEnd;
pub(super) use progress::MappingProgress;

/// A snapshot of a mapping.
#[derive(Debug, Clone, Default, Serialize)]
pub struct MappingStatus {
    /// Logical id.
    pub mapping: String,
    /// Logical id of the function.
    pub function: String,
    /// Consumer group.
    pub group: String,
    /// Topics that it reads.
    pub topics: Vec<String>,
    /// Records that were processed or discarded.
    pub records_done: u64,
    /// Records that the filters dropped; a record that is read again counts again.
    pub records_filtered: u64,
    /// Invocations of the function.
    pub batches: u64,
    /// Invocations that failed, completely or in part.
    pub failed_batches: u64,
    /// Records that were discarded by a limit of the mapping.
    pub records_discarded: u64,
    /// Failure records that the destination accepted only without payload or details.
    pub failure_records_reduced: u64,
    /// Discarded records of which no destination has a failure record: they exceed the size of an
    /// event, or the destination refuses the failure record in every form.
    pub records_lost: u64,
    /// Offsets that were deleted (retention, `DeleteRecords`) before this group read them.
    pub records_deleted_unread: u64,
    /// Partitions that were read from their start because the topic was recreated or the log
    /// truncated.
    pub logs_replaced: u64,
    /// The worst state of the mapping and its partitions.
    pub health: SourceHealth,
    /// The reason of that state, if it is a problem.
    pub problem: Option<String>,
    /// Why the destination is unavailable; a partition waits for it.
    pub destination_problem: Option<String>,
    /// The partitions that are assigned to this host.
    pub partitions: Vec<PartitionStatus>,
}

/// A snapshot of a partition.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PartitionStatus {
    /// Topic.
    pub topic: String,
    /// Partition number.
    pub partition: i32,
    /// Next offset to process, after transaction markers and aborted records. `None` until the
    /// brokers have responded.
    pub position: Option<Offset>,
    /// High watermark, as last reported.
    pub end: Option<Offset>,
    /// The last stable offset: the begin of the first open transaction, else the end. No later
    /// record can be read.
    pub stable_end: Option<Offset>,
    /// Offsets between the position and the last stable offset.
    pub lag: Option<i64>,
    /// Records in this host's memory.
    pub held: usize,
    /// An invocation with its records is in flight.
    pub in_flight: bool,
    /// An operator paused it.
    pub paused: bool,
    /// State and reason.
    pub health: SourceHealth,
}
