//! The event source mapping of a stream as a pure state machine. No broker, no function, no clock.
//!
//! The driver passes records in ([`StreamInput::Records`]), executes invocations
//! ([`StreamAction::Invoke`]), reports their results ([`StreamInput::Finished`]) and commits
//! ([`StreamAction::Commit`]). Time is a parameter of every call.
//! `machine` holds the state and applies inputs, `batch` decides which records travel together,
//! `result` applies the result of a batch, `partition` holds the records of one partition,
//! `discard` gives records up, `operator` moves a partition, `response` reads a partial batch
//! response.
//!
//! Invariants, each a property test:
//! - No record is skipped. A record leaves the machine only as processed, or discarded: by a limit
//!   of the mapping, because no event can carry it, or by an operator.
//! - Order within a partition is kept. At most one slice of a partition is in flight, also across a
//!   rebalance.
//! - A commit never passes a record that is not done, and never goes back, except where an operator
//!   moves the partition.
//! - Success, failure and retry are decided per partition, although an invocation may carry
//!   several.
//!
//! Choices where the service's documentation is silent:
//! - A retried slice travels alone, so that a poison record fails no other partition's records.
//! - After a partial failure each partition resumes at its lowest failed offset. A retry that made
//!   progress counts as a first attempt.
//! - With bisecting, a batch that failed as a whole is cut in half without using up an attempt.
//! - Each record has its own age. A batch ends before a record that is too old, which is discarded
//!   once it is at the front.
//! - A record that a filter drops is done as soon as those before it are.

mod batch;
mod discard;
mod machine;
mod operator;
mod partition;
mod response;
mod result;

#[cfg(test)]
mod case_tests;
#[cfg(test)]
mod discard_tests;
#[cfg(test)]
mod model_events_for_tests;
#[cfg(test)]
mod model_for_tests;
#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod operator_tests;

use std::time::Duration;

use crate::{BatchResult, InvocationId, Millis, SourceSettings};
pub use machine::StreamMachine;
pub use operator::Position;
pub use response::{FailedRecord, failed_records};

/// Position of a record in its partition.
pub type Offset = i64;

/// A partition of one of the mapping's topics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition {
    /// Index in the mapping's list of topics.
    pub topic: usize,
    /// Partition number.
    pub number: i32,
}

/// A record, as far as the machine needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Position. Gaps between neighbours are normal.
    pub offset: Offset,
    /// Bytes of its JSON within the event.
    pub size: usize,
    /// The record's timestamp; negative: none.
    pub time: Millis,
}

impl Record {
    /// Whether its timestamp is more than `limit` before `now`.
    fn is_older(&self, now: Millis, limit: Millis) -> bool {
        self.time >= 0 && now - self.time > limit
    }
}

/// Settings of a mapping.
#[derive(Debug, Clone)]
pub struct StreamSettings {
    /// Maximum of records in one invocation.
    pub batch_size: usize,
    /// Maximum time to wait for a full batch.
    pub window: Duration,
    /// Maximum bytes of an event. A single larger record is discarded.
    pub max_payload: usize,
    /// Bytes of an event without its records and partitions.
    pub envelope: usize,
    /// Bytes that each further partition adds.
    pub partition_overhead: usize,
    /// `BisectBatchOnFunctionError`.
    pub bisect: bool,
    /// Retries after the first attempt. `None`: without limit.
    pub max_retries: Option<u32>,
    /// A record that is older when it would travel is discarded. `None`: no limit.
    pub max_age: Option<Duration>,
    /// Discarded records are sent to a destination.
    pub has_destination: bool,
    /// Maximum of concurrent invocations.
    pub max_in_flight: usize,
    /// Maximum bytes of the records of all partitions.
    pub buffer_bytes: usize,
    /// Minimum time between two commits.
    pub commit_interval: Duration,
    /// Wait before the first retry; doubles with every further retry.
    pub backoff: Duration,
    /// Upper bound of the wait.
    pub max_backoff: Duration,
}

/// An event of the world outside.
#[derive(Debug, Clone)]
pub enum StreamInput<'a> {
    /// Partitions were assigned to this host.
    Assigned(&'a [Partition]),
    /// Records arrived, in offset order, behind those that arrived before.
    Records(Partition, &'a [Record]),
    /// A filter dropped the records up to and including this offset that did not arrive. Follows
    /// the records before it.
    Skipped(Partition, Offset),
    /// An invocation ended.
    Finished(InvocationId, StreamBatchResult),
    /// Partitions are being revoked; what is done can still be committed.
    Revoked(&'a [Partition]),
    /// Partitions were lost; another host may own them already.
    Lost(&'a [Partition]),
    /// The partition's log was truncated or recreated: its held records are void, and lower offsets
    /// may follow.
    Reset(Partition),
    /// An operator moved the partition to this offset: its held records are void, and the offset is
    /// committed.
    Sought(Partition, Offset),
    /// An operator skips the partition's oldest record, if it has this offset.
    Skip(Partition, Offset),
    /// A commit of these partitions failed or was not sent; it is repeated after the interval.
    CommitFailed(&'a [Partition]),
    /// A delivery of discarded records ended; `true`: the destination has them.
    Delivered(Partition, bool),
    /// The settings changed. Slices that are cut already travel as they are.
    Tuned(SourceSettings),
    /// Start nothing more.
    Drain,
    /// Commit everything that is done at once.
    Flush,
    /// Time passed.
    Tick,
}

/// How the invocation of a batch ended. One that failed as a whole is retried.
pub type StreamBatchResult = BatchResult<FailedRecord>;

/// State of a partition, for the status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Holding {
    /// The partition.
    pub partition: Partition,
    /// Records held.
    pub held: usize,
    /// Offset of the oldest record held.
    pub first: Option<Offset>,
    /// Timestamp of the oldest record held, if it has one.
    pub oldest: Option<Millis>,
    /// Whether a slice is in flight.
    pub in_flight: bool,
    /// Latest end of the batching window of the records held.
    pub gathers_until: Option<Millis>,
    /// Reading is paused, because the buffer of the partition is full.
    pub full: bool,
}

/// Consecutive records of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// Their partition.
    pub partition: Partition,
    /// Offset of the first record.
    pub first: Offset,
    /// Offset of the last record.
    pub last: Offset,
    /// Number of records.
    pub records: usize,
}

/// Why records were discarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiscardReason {
    /// `MaximumRetryAttempts` is used up.
    RetriesExhausted,
    /// Older than `MaximumRecordAgeInSeconds`.
    TooOld,
    /// A single record exceeds the limit of an event.
    TooLarge,
    /// An operator skipped it.
    Skipped,
}

/// What the driver must do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamAction {
    /// Invoke the function with these slices, at most one of a partition.
    Invoke(InvocationId, Vec<Slice>),
    /// Commit these next offsets to read.
    Commit(Vec<(Partition, Offset)>),
    /// Drop the buffered records up to and including this offset.
    Release(Partition, Offset),
    /// Stop reading the partition.
    Pause(Partition),
    /// Continue reading the partition.
    Resume(Partition),
    /// Send to the destination, then report [`StreamInput::Delivered`]. The partition waits.
    SendToDestination(Slice, DiscardReason),
    /// Raise an alarm: the records are discarded, and the mapping has no destination.
    Discard(Slice, DiscardReason),
    /// Raise an alarm: a partial batch response names records that the batch does not have. The
    /// whole batch failed.
    RejectedResponse(String),
}
