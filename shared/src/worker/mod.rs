//! What becomes of each record of a batch, and what may be acknowledged.
//!
//! A handler gives every record an [`Outcome`]. The [`Ledger`] of the batch keeps them, and answers with [`Failures`], the partial
//! batch response of its [`Source`]: of each Kafka partition the lowest offset that may not be acknowledged yet, of a queue each message.
//! The promise of this room: **nothing is acknowledged that is not done or durably parked**, and nothing behind a failed record
//! of its partition or message group either. A record nobody spoke of counts as failed.
//!
//! Beside it the pure decisions on errors: [`ErrorClass`] (what kind is it, so what next), [`Bisect`] (find the one record that
//! fails a batch, left to right) and [`Backoff`] (when to try again).

mod backoff;
mod bisect;
mod class;
mod failures;
mod ledger;
mod outcome;

#[cfg(test)]
mod queue_tests;
#[cfg(test)]
mod tests;

pub use backoff::Backoff;
pub use bisect::Bisect;
pub use class::{ErrorClass, NextStep};
pub use failures::{Failures, ItemFailure, ItemIdentifier, Source};
pub use ledger::{Counts, Ledger};
pub use outcome::{Outcome, Reason};
