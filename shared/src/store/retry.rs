//! Retries of statements that conflict with other transactions.

use super::StoreError;
use lambda_batch::ErrorClass;

/// Maximum retries after deadlocks and serialization failures, which are transient: the other
/// transaction has finished.
const MAX_RETRIES: u32 = 8;

/// Runs a change, and runs it again at once if it conflicts with another transaction.
pub(super) async fn retry_conflicts<T, E, F>(change: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, E>>,
    E: Into<StoreError>,
{
    let mut retries = 0;
    loop {
        let result = change().await.map_err(Into::into);
        let conflict = matches!(&result, Err(error) if error.class == ErrorClass::Conflict);
        if !conflict || retries == MAX_RETRIES {
            return result;
        }
        retries += 1;
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
