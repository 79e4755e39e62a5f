//! Asynchronous invocations: when an accepted event is tried, tried again and given up.
//!
//! [`Machine`] is the state of all accepted events, [`Entry`] the state of one, in the form in which a host stores it.

mod entry;
mod machine;
#[cfg(test)]
mod machine_tests;

pub use entry::{Condition, Entry, EventId, Millis, Stage, Target};
pub use machine::{Action, Finish, Input, Machine, Policy, Timing};
