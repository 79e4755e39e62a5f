//! Asynchronous invocations: when an accepted event is tried, tried again and given up.
//!
//! [`AsyncMachine`] is the state of all accepted events, [`AcceptedEvent`] the state of one, in the form in which a host stores it.

mod entry;
mod machine;
#[cfg(test)]
mod machine_tests;

pub use entry::{AcceptedEvent, Condition, EventDestination, EventId, EventStage};
pub use machine::{
    AsyncAction, AsyncInput, AsyncMachine, AttemptResult, EventInvokePolicy, RetryTiming,
};
