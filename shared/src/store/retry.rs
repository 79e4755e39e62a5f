//! Retries of statements that conflict with other transactions.

use super::StoreError;
use lambda_batch::ErrorClass;

/// Maximum retries after deadlocks and serialization failures, which are transient: the other
/// transaction has finished.
const MAX_RETRIES: u32 = 8;

/// Bounds the retries of one change.
#[derive(Debug, Default)]
pub(super) struct ConflictRetry(u32);

impl ConflictRetry {
    /// Whether to retry now.
    pub(super) fn is_due<T>(&mut self, result: &Result<T, StoreError>) -> bool {
        let due =
            matches!(result, Err(e) if e.class == ErrorClass::Conflict) && self.0 < MAX_RETRIES;
        self.0 += u32::from(due);
        due
    }
}

/// Maximum retries of a change that a later read contradicts.
const MAX_STALE_READS: u32 = 8;

/// Bounds the retries of a change whose failure a later statement explains.
///
/// If a conditional UPDATE finds no row, a SELECT finds out why. Another transaction may commit
/// between the two. Then the SELECT returns a row that the UPDATE would have changed, and explains
/// nothing, so the change is retried. States only advance, so the second attempt nearly always
/// decides; the bound covers states that alternate.
#[derive(Debug, Default)]
pub(super) struct StaleReadRetry(u32);

impl StaleReadRetry {
    /// Whether to retry. `contradicts`: the row meets the condition of the UPDATE that did not find
    /// it.
    pub(super) fn is_due(&mut self, contradicts: bool) -> bool {
        let due = contradicts && self.0 < MAX_STALE_READS;
        self.0 += u32::from(due);
        due
    }
}
