//! The event source mapping as a pure state machine: no broker, no function, no clock.
//!
//! Records come in ([`StreamInput::Records`]), invocations go out ([`StreamAction::Invoke`]), their results come back
//! ([`StreamInput::Finished`]), and what is done is committed ([`StreamAction::Commit`]). Time is a number that every call brings along.
//! `machine` decides which records travel together; `partition` keeps one partition's records and what became of them;
//! `discard` gives records up; `operator` moves a partition by hand;
//! `response` reads a partial batch response.
//!
//! Promises, each a property in the tests:
//! - nothing is skipped: a record leaves only as done, or given up by a limit that the mapping sets, because no event can carry it, or by an
//!   operator;
//! - order within a partition is kept, and at most one slice of a partition is in flight, across a rebalance too;
//! - a commit never passes a record that is not done, and never goes back, but where an operator moves the partition;
//! - success, failure and retry are decided per partition, though an invocation may carry several.
//!
//! Choices where the service's documentation is silent: a retried slice travels alone, so that one partition's poison
//! fails no other partition's records; after a partial failure each partition resumes at its lowest failed offset, and
//! a retry that made progress counts as a first attempt; a batch that failed whole is cut in half, when bisecting is on,
//! without using up an attempt; each record is judged by its own age, so a batch ends before one that is too old, which is given up when
//! it has come to the front; a record that a filter drops is done as soon as those before it are.

mod discard;
mod machine;
mod operator;
mod partition;
mod response;

#[cfg(test)]
mod case_tests;
#[cfg(test)]
mod model_tests;

use std::time::Duration;

use crate::{InvocationId, Millis, SourceSettings};
pub use machine::StreamMachine;
pub use operator::Position;
pub use response::{FailedRecord, failed_records};

/// A record's place in its partition.
pub type Offset = i64;

/// A partition of one of the mapping's topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition {
    /// Index into the mapping's topics.
    pub topic: usize,
    /// Partition number.
    pub number: i32,
}

/// What the machine knows of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Offset. Gaps between neighbours are normal.
    pub offset: Offset,
    /// Bytes of its JSON within the event.
    pub size: usize,
    /// The record's own time; negative: none.
    pub time: Millis,
}

impl Record {
    /// It has a time, which is more than `limit` before `now`.
    fn is_older(&self, now: Millis, limit: Millis) -> bool {
        self.time >= 0 && now - self.time > limit
    }
}

/// How a mapping behaves.
#[derive(Debug, Clone)]
pub struct StreamSettings {
    /// Records in one invocation at most.
    pub batch_size: usize,
    /// Most time to wait for a full batch.
    pub window: Duration,
    /// Bytes of an event at most; a single record that is larger is given up.
    pub max_payload: usize,
    /// Bytes of an event around its records, without the partitions' own.
    pub envelope: usize,
    /// Bytes that each further partition adds.
    pub partition_overhead: usize,
    /// Cut a failed batch in half.
    pub bisect: bool,
    /// Retries after the first attempt; `None`: for ever.
    pub max_retries: Option<u32>,
    /// A record older than this when it would travel is given up, wherever it lies in its batch; `None`: none is.
    pub max_age: Option<Duration>,
    /// Discarded records go to a destination first.
    pub has_destination: bool,
    /// Invocations in flight at most.
    pub max_in_flight: usize,
    /// Bytes of records held for all partitions together.
    pub buffer_bytes: usize,
    /// Least time between two commits.
    pub commit_interval: Duration,
    /// Wait before the first retry; doubles with every further one.
    pub backoff: Duration,
    /// The wait grows no longer than this.
    pub max_backoff: Duration,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum StreamInput<'a> {
    /// Partitions are this host's now.
    Assigned(&'a [Partition]),
    /// Records arrived, in offset order, following those that arrived before.
    Records(Partition, &'a [Record]),
    /// Records up to and including this offset that did not arrive need no function: a filter dropped them. Follows the
    /// records before it.
    Skipped(Partition, Offset),
    /// An invocation ended.
    Finished(InvocationId, StreamBatchResult),
    /// Partitions are being given up; what is done can still be committed, and is.
    Revoked(&'a [Partition]),
    /// Partitions are gone; another host may own them already.
    Lost(&'a [Partition]),
    /// The partition's log was cut or begun anew: what is held of it is void, and lower offsets follow.
    Reset(Partition),
    /// An operator has the partition read from this offset on: what is held of it is void, and the offset is committed.
    Sought(Partition, Offset),
    /// An operator passes the partition's oldest record, if it is this one.
    Skip(Partition, Offset),
    /// A commit failed for these; it is made again.
    CommitFailed(&'a [Partition]),
    /// The destination took the discarded records of the partition, or did not.
    Delivered(Partition, bool),
    /// Somebody changed how the mapping behaves. Slices that are cut already travel as they are.
    Tuned(SourceSettings),
    /// Start nothing any more.
    Drain,
    /// Commit everything that is done, now.
    Flush,
    /// Time passed.
    Tick,
}

/// How an invocation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamBatchResult {
    /// The function answered; these records failed (none: all are done).
    Answered(Vec<FailedRecord>),
    /// The function failed, or its answer made no sense: the whole batch is tried again.
    Failed,
    /// The function was never reached (throttled, shutting down), or the host ended the invocation. Uses up no retry.
    NotInvoked,
}

/// What the machine has of a partition, for the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holding {
    /// The partition.
    pub partition: Partition,
    /// Records held.
    pub held: usize,
    /// Offset of the oldest of them.
    pub first: Option<Offset>,
    /// The time of the oldest of them; `None`: none is held, or it has no time.
    pub oldest: Option<Millis>,
    /// A slice is in flight.
    pub in_flight: bool,
    /// Fresh records are gathered into a batch until then, at most.
    pub gathers_until: Option<Millis>,
    /// No more is read of it, since as many records are held as may be.
    pub full: bool,
}

impl Holding {
    /// Nothing of it.
    pub fn none(partition: Partition) -> Self {
        Self {
            partition,
            held: 0,
            first: None,
            oldest: None,
            in_flight: false,
            gathers_until: None,
            full: false,
        }
    }
}

/// Consecutive records of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// Their partition.
    pub partition: Partition,
    /// Offset of the first.
    pub first: Offset,
    /// Offset of the last.
    pub last: Offset,
    /// How many they are.
    pub records: usize,
}

/// Why records were given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiscardReason {
    /// `MaximumRetryAttempts` is used up.
    RetriesExhausted,
    /// Older than `MaximumRecordAgeInSeconds`.
    TooOld,
    /// A single record with which the event is beyond its limit: no function can get it.
    TooLarge,
    /// An operator passed over it.
    Skipped,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamAction {
    /// Invoke the function with these slices, at most one of a partition.
    Invoke(InvocationId, Vec<Slice>),
    /// Commit: the next offset to read, by partition.
    Commit(Vec<(Partition, Offset)>),
    /// Hold no records up to and including this offset any longer.
    Release(Partition, Offset),
    /// Read no more of the partition for now.
    Pause(Partition),
    /// Read on.
    Resume(Partition),
    /// Send to the destination, then say [`StreamInput::Delivered`]. The partition waits.
    SendToDestination(Slice, DiscardReason),
    /// Given up, and no destination wants them. To be reported loudly.
    Discard(Slice, DiscardReason),
    /// Log this: a partial batch response names records that the batch does not have. The batch failed.
    RejectedResponse(String),
}
