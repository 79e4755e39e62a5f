#![doc = include_str!("../README.md")]

mod bisect;
mod content;
pub mod kafka;
mod ledger;
mod outcome;
mod response;
mod retry;
pub mod schedule;
mod sqlstate;
pub mod sqs;

#[cfg(test)]
mod kafka_response_tests;
#[cfg(test)]
mod sqs_response_tests;

pub use bisect::Bisect;
pub use content::BadContent;
pub use ledger::{Counts, Ledger};
pub use outcome::{Outcome, Reason};
pub use response::{Failures, ItemFailure, ItemIdentifier, Source};
pub use retry::Backoff;
pub use sqlstate::{ErrorClass, NextStep};
