//! Failure records of a mapping: what the destination receives about discarded records.
//!
//! `attempts` counts the failed invocations of each partition's oldest records (pure); `document`
//! creates the failure records in the service's format, with smaller versions for destinations that
//! refuse the complete one. [`crate::destinations`] delivers them.

mod attempts;
mod document;
#[cfg(test)]
pub(super) mod tests;

pub(super) use attempts::{AttemptHistory, Attempts};
pub(super) use document::{Discarded, FailureContext, failure_records};
