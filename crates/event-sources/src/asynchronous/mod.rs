//! Asynchronous invocations: decides when an accepted event is attempted, retried and discarded.
//!
//! [`AsyncMachine`] holds all accepted events; [`AcceptedEvent`] is the state of one.
//!
//! The rules are Lambda's ("How Lambda handles errors and retries with asynchronous invocation"):
//! - A function error is retried after one and after two minutes.
//! - An attempt that was throttled, or failed before the function began, uses up no retry. It is
//!   repeated after growing waits.
//! - An event beyond the maximum age is discarded, and so is an event whose function may not run.
//! - Each end has its destinations: `OnSuccess`, `OnFailure` and the dead-letter queue.

mod entry;
mod machine;
#[cfg(test)]
mod machine_tests;
#[cfg(test)]
mod model_tests;

pub use entry::{AcceptedEvent, Condition, EventDestination, EventId, EventStage};
pub use machine::AsyncMachine;

use crate::Millis;

/// `EventInvokeConfig` of a function, and its concurrency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventInvokePolicy {
    /// Attempts after the first.
    pub max_retries: u32,
    /// An older event is discarded.
    pub max_age: Millis,
    /// Concurrent invocations.
    pub concurrency: usize,
    /// Receive an event that succeeded.
    pub on_success: Vec<EventDestination>,
    /// Receive an event that is discarded.
    pub on_failure: Vec<EventDestination>,
}

/// Waits between attempts and between deliveries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryTiming {
    /// Before the first and the second retry after a function error.
    pub retries: [Millis; 2],
    /// After the first attempt that did not begin, or the first failed delivery; doubles each time.
    pub backoff: Millis,
    /// Upper bound of `backoff`.
    pub max_backoff: Millis,
}

impl RetryTiming {
    /// Lambda's waits: one and two minutes; 1 s doubling to 5 minutes.
    pub const AWS: Self = Self {
        retries: [60_000, 120_000],
        backoff: 1_000,
        max_backoff: 300_000,
    };
    /// Waits for local development.
    pub const SHORT: Self = Self {
        retries: [1_000, 2_000],
        backoff: 100,
        max_backoff: 5_000,
    };

    pub(super) fn after(&self, failures: u32) -> Millis {
        self.backoff
            .saturating_mul(1 << failures.min(30))
            .min(self.max_backoff)
    }
}

/// An event of the world outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AsyncInput {
    /// The host has stored an event, or found it in its store at the start.
    Accepted(EventId, AcceptedEvent),
    /// An attempt ended.
    Finished(EventId, AttemptResult),
    /// A delivery to a destination ended; `true`: the destination has the event.
    Delivered(EventId, EventDestination, bool),
    /// The concurrency of a function changed.
    Limited(String, usize),
    /// Time passed.
    Tick,
    /// Start nothing more.
    Drain,
    /// The driver restarted: what it had in progress counts as not begun.
    Restarted,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptResult {
    /// The function answered.
    Answered,
    /// The function failed.
    Failed,
    /// The function did not begin. Uses up no retry.
    NotBegun,
    /// The function may not run, or can never receive this event.
    Never,
    /// The host ended the attempt. It counts as not made.
    Stopped,
}

/// What the driver must do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AsyncAction {
    /// Invoke the function.
    Invoke(EventId),
    /// Send the event to a destination.
    Deliver(EventId, EventDestination),
    /// Store this state of the event before executing later actions on it.
    Save(EventId, AcceptedEvent),
    /// Remove the event from the store.
    Forget(EventId),
    /// The event is discarded and has no destination: function, request id and reason.
    Lost(String, String, Condition),
}
