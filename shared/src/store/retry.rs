//! Repeats what another transaction was in the way of.

use super::StoreError;
use lambda_batch::ErrorClass;

/// Deadlocks and serialization failures are transient by nature: whoever lost has let the other one pass.
const MOST: u32 = 8;

/// Counts how often one change was tried.
#[derive(Debug, Default)]
pub(super) struct ConflictRetry(u32);

impl ConflictRetry {
    /// Whether this failure is worth another try at once.
    pub(super) fn is_due<T>(&mut self, result: &Result<T, StoreError>) -> bool {
        let again = matches!(result, Err(e) if e.class == ErrorClass::Conflict) && self.0 < MOST;
        self.0 += u32::from(again);
        again
    }
}

/// How often a change is tried whose explanation contradicts it.
const MAX_ROUNDS: u32 = 8;

/// Bounds the rounds of a change that is explained by a later statement.
///
/// A conditional UPDATE that finds no row is followed by a SELECT that says why. Between the two, another transaction may commit the
/// very row that the UPDATE looked for: then the SELECT shows a row that the UPDATE would have changed, and explains nothing. The
/// change is tried again. States only advance, so a second round nearly always decides; the bound is for what changes back and forth.
#[derive(Debug, Default)]
pub(super) struct StaleReadRetry(u32);

impl StaleReadRetry {
    /// Whether to try the change again: its condition holds (`contradicts`) although it found no row.
    pub(super) fn is_due(&mut self, contradicts: bool) -> bool {
        let again = contradicts && self.0 < MAX_ROUNDS;
        self.0 += u32::from(again);
        again
    }
}
