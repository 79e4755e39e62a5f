//! The state of the tables. Each change is one step, idempotent and independent of the order.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The state of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Table {
    /// On hold for a guest.
    Held,
    /// The guest has arrived.
    Seated,
    Free,
}

/// The result of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Released {
    /// The table is free now.
    Now,
    /// It was free already: an earlier release lost its acknowledgement.
    Before,
    /// The guest arrived first; the table is not changed.
    Occupied,
}

/// All tables. An application keeps them in a database, which survives the worker's process.
#[derive(Debug, Default)]
pub(crate) struct Tables(Mutex<BTreeMap<String, Table>>);

impl Tables {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Table>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn hold(&self, table: &str) {
        self.lock().insert(table.to_owned(), Table::Held);
    }

    /// The guest arrives. Returns whether the table was still held.
    pub(crate) fn seat(&self, table: &str) -> bool {
        match self.lock().get_mut(table) {
            Some(state @ Table::Held) => {
                *state = Table::Seated;
                true
            }
            _ => false,
        }
    }

    /// The hold ends.
    pub(crate) fn release(&self, table: &str) -> Released {
        match self.lock().get_mut(table) {
            Some(state @ Table::Held) => {
                *state = Table::Free;
                Released::Now
            }
            Some(Table::Seated) => Released::Occupied,
            Some(Table::Free) | None => Released::Before,
        }
    }

    pub(crate) fn all(&self) -> BTreeMap<String, Table> {
        self.lock().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_guest_and_release_wins() {
        let tables = Tables::default();
        tables.hold("a");
        tables.hold("b");
        assert!(tables.seat("a"));
        assert_eq!(tables.release("a"), Released::Occupied);
        assert_eq!(tables.release("b"), Released::Now);
        assert_eq!(tables.release("b"), Released::Before);
        assert!(!tables.seat("b"));
    }
}
