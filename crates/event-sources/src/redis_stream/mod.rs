//! The event source mapping of a Redis stream, read by a consumer group, as a pure state machine.
//! Lambda has no such mapping: the rules are this project's choice, as close to those of a queue as
//! a stream allows. No Redis, no function, no clock.
//!
//! The driver executes requests for entries ([`RedisStreamAction::Read`]) and invocations, and
//! reports their results. `machine` decides when to read and what happens next to each entry,
//! `ends` derives what becomes of an entry, `batch` forms batches, `table` holds the entries with
//! the state of each, `settings` and this file describe the interface.
//!
//! A group delivers an entry to one consumer and keeps it pending for that consumer until it is
//! acknowledged. This consumer retries by itself, in memory, and restarts the idle time of what it
//! holds ([`RedisStreamAction::Hold`]), so that no other consumer takes it over. The count of
//! deliveries in the group includes the next attempt: it survives a restart, and bounds the
//! attempts of all consumers together.
//!
//! Invariants, each a property test:
//! - An entry is acknowledged only after an invocation with it succeeded and did not name it, after
//!   a filter dropped it, or (by the driver, in one step) after its dead letter is stored.
//! - An entry is parked only if it is unreadable, too old, or failed once more than the retries.
//! - Every entry that is read ends: acknowledged, parked, taken over by another consumer, or given
//!   back by a drain.
//! - A failed request to acknowledge or park is repeated, and the function does not receive the
//!   entry again meanwhile.
//! - The permit comes before the entry: a read is made only for as many entries as can be invoked
//!   at once, so that other consumers receive the rest.
//! - An entry that fails does not delay others: it waits outside of the permits.
//! - An invocation that did not begin uses up no retry.
//!
//! Order: entries are read in the order of the stream. A retried entry comes after later ones, and
//! consumers and concurrent invocations overtake each other.

mod batch;
mod ends;
mod machine;
mod settings;
mod table;

#[cfg(test)]
mod case_tests;
#[cfg(test)]
mod model_answers_for_tests;
#[cfg(test)]
mod model_for_tests;
#[cfg(test)]
mod model_tests;

use std::time::Duration;

use crate::{BatchResult, InvocationId, Millis, SourceSettings};
pub use machine::RedisStreamMachine;
pub use settings::RedisStreamSettings;

/// The id of an entry: milliseconds since 1970 by the server's clock, and its number among the
/// entries of that millisecond.
pub type EntryKey = (u64, u64);

/// An entry that the group delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveredEntry {
    /// Its id.
    pub key: EntryKey,
    /// Deliveries according to the group, this one included.
    pub deliveries: u32,
    /// What the function would receive.
    pub content: EntryContent,
}

impl DeliveredEntry {
    /// When the entry was added, by its id.
    fn added(&self) -> Millis {
        Millis::try_from(self.key.0).unwrap_or(Millis::MAX)
    }
}

/// What the function would receive of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryContent {
    /// A record of so many bytes within the event, comma included.
    Record(usize),
    /// Nothing: a filter drops it. It is acknowledged.
    Filtered,
    /// Nothing: no record can represent it. It is parked.
    Unreadable,
}

/// An event of the world outside.
#[derive(Debug, Clone)]
pub enum RedisStreamInput {
    /// The read returned these entries, new or taken over; possibly none.
    Read(Vec<DeliveredEntry>),
    /// The read failed.
    ReadFailed,
    /// A [`RedisStreamAction::Hold`] succeeded, except for these entries: another consumer has
    /// them, or the group no longer does.
    Held(Vec<EntryKey>),
    /// A [`RedisStreamAction::Hold`] failed.
    HoldFailed,
    /// A [`RedisStreamAction::Count`] succeeded, except for these entries.
    Counted(Vec<EntryKey>),
    /// A [`RedisStreamAction::Count`] failed.
    CountFailed,
    /// These entries are acknowledged or parked, or were not this consumer's to park.
    Settled(Vec<EntryKey>),
    /// Acknowledging or parking these entries failed.
    SettleFailed(Vec<EntryKey>),
    /// The group was missing and is created again: what was held before is void.
    Recreated,
    /// An invocation ended.
    Finished(InvocationId, RedisStreamBatchResult),
    /// The settings changed. A paused mapping reads nothing and starts no invocation.
    Tuned(SourceSettings),
    /// Read and start nothing more. What has not begun is left to the group.
    Drain,
    /// Time passed.
    Tick,
}

/// How the invocation of a batch ended. One that was not invoked is tried again.
pub type RedisStreamBatchResult = BatchResult<EntryKey>;

/// Why an entry is parked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParkReason {
    /// It failed in so many attempts.
    RetriesExhausted(u32),
    /// It is older than the maximum age.
    TooOld,
    /// No record can represent it.
    Unreadable,
}

/// What the driver must do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedisStreamAction {
    /// Request entries from the group; at most one request is open.
    Read {
        /// Maximum of entries.
        max: usize,
        /// How long the server may wait for the first entry.
        wait: Duration,
    },
    /// Invoke the function with these entries, each with the number of this attempt.
    Invoke(InvocationId, Vec<(EntryKey, u32)>),
    /// Restart the idle time of all held entries and store their counts of deliveries; at most one
    /// such request is open.
    Hold(Vec<(EntryKey, u32)>),
    /// The same for entries that failed: their next attempt is counted.
    Count(Vec<(EntryKey, u32)>),
    /// Acknowledge them: they are processed or filtered.
    Acknowledge(Vec<EntryKey>),
    /// Store a dead letter of each and acknowledge it, in one step.
    Park(Vec<(EntryKey, ParkReason)>),
}

/// Counts of a mapping, for the status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RedisStreamOverview {
    /// Entries at the function.
    pub in_flight: usize,
    /// Entries that wait for their batch to fill, or for the function.
    pub held: usize,
    /// Entries that failed and wait for their next attempt.
    pub retrying: usize,
    /// Entries that are being acknowledged or parked.
    pub settling: usize,
    /// When the oldest of all these was added to the stream.
    pub oldest: Option<Millis>,
}
