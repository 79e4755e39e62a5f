//! Repeats what another transaction was in the way of.

use super::StoreError;
use crate::worker::ErrorClass;

/// Deadlocks and serialization failures are transient by nature: whoever lost has let the other one pass.
const MOST: u32 = 8;

/// Counts how often one change was tried.
#[derive(Debug, Default)]
pub(super) struct Repeat(u32);

impl Repeat {
    /// Whether this failure is worth another try at once.
    pub(super) fn again<T>(&mut self, result: &Result<T, StoreError>) -> bool {
        let again = matches!(result, Err(e) if e.class == ErrorClass::Conflict) && self.0 < MOST;
        self.0 += u32::from(again);
        again
    }
}
