//! The tables: what is true of them. Changed in one step each, by rules that bear any order and any repetition.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How a table stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Table {
    /// Kept for a guest.
    Held,
    /// The guest sits there.
    Seated,
    /// Anybody's.
    Free,
}

/// What a release found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Released {
    /// The table is free now.
    Now,
    /// It was free already: the release had been done, and its acknowledgement was lost.
    Before,
    /// The guest came first. Nothing was done.
    TakenByItsGuest,
}

/// All tables. In an application this is a database; one that the worker's process does not share its death with.
#[derive(Debug, Default)]
pub(crate) struct Floor(Mutex<BTreeMap<String, Table>>);

impl Floor {
    fn tables(&self) -> MutexGuard<'_, BTreeMap<String, Table>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn hold(&self, table: &str) {
        self.tables().insert(table.to_owned(), Table::Held);
    }

    /// The guest comes. Answers whether the table was still theirs.
    pub(crate) fn seat(&self, table: &str) -> bool {
        match self.tables().get_mut(table) {
            Some(state @ Table::Held) => {
                *state = Table::Seated;
                true
            }
            _ => false,
        }
    }

    /// The hold ends.
    pub(crate) fn release(&self, table: &str) -> Released {
        match self.tables().get_mut(table) {
            Some(state @ Table::Held) => {
                *state = Table::Free;
                Released::Now
            }
            Some(Table::Seated) => Released::TakenByItsGuest,
            Some(Table::Free) | None => Released::Before,
        }
    }

    pub(crate) fn all(&self) -> BTreeMap<String, Table> {
        self.tables().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_its_guests_or_everybodys_whoever_comes_first() {
        let floor = Floor::default();
        floor.hold("a");
        floor.hold("b");
        assert!(floor.seat("a"));
        assert_eq!(floor.release("a"), Released::TakenByItsGuest);
        assert_eq!(
            (floor.release("b"), floor.release("b")),
            (Released::Now, Released::Before)
        );
        assert!(!floor.seat("b"));
    }
}
