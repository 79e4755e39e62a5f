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
    ConflictRetry::default().run(change).await
}

/// Bounds the retries after conflicts of a change that also has a [`StaleReadRetry`].
#[derive(Debug, Default)]
pub(super) struct ConflictRetry(u32);

impl ConflictRetry {
    /// As [`retry_conflicts`]; all runs together have one bound.
    pub(super) async fn run<T, E, F>(&mut self, change: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, E>>,
        E: Into<StoreError>,
    {
        loop {
            let result = change().await.map_err(Into::into);
            let conflict = matches!(&result, Err(error) if error.class == ErrorClass::Conflict);
            if !conflict || self.0 == MAX_RETRIES {
                return result;
            }
            self.0 += 1;
        }
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::ready;

    use super::*;

    #[tokio::test]
    async fn runs_of_one_change_share_a_bound() {
        let runs = Cell::new(0);
        let change = || {
            runs.set(runs.get() + 1);
            ready(Err::<(), _>(StoreError {
                class: ErrorClass::Conflict,
                ..StoreError::unknown("a deadlock")
            }))
        };
        let mut conflicts = ConflictRetry::default();
        assert!(conflicts.run(change).await.is_err());
        assert_eq!(runs.take(), 9);
        assert!(conflicts.run(change).await.is_err());
        assert_eq!(runs.take(), 1);
    }
}
