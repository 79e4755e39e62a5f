//! What must have happened by the end of the evening. Pure: knows only what was promised and what was seen.

use std::collections::BTreeMap;

use crate::floor::Table;

/// What guests were promised of one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Promise {
    /// It is theirs until at least this time, milliseconds by Redis' clock, and nobody's afterwards.
    Until(u64),
    /// It is theirs: they came.
    Kept,
}

/// A release that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Release {
    pub(crate) table: String,
    /// Redis' clock when it happened, milliseconds.
    pub(crate) at_ms: u64,
}

/// Every broken promise, in a sentence.
pub(crate) fn faults(
    promises: &BTreeMap<String, Promise>,
    floor: &BTreeMap<String, Table>,
    releases: &[Release],
) -> Vec<String> {
    let mut faults = Vec::new();
    for (table, promise) in promises {
        let times: Vec<u64> = releases
            .iter()
            .filter(|release| release.table == *table)
            .map(|release| release.at_ms)
            .collect();
        match (promise, times.as_slice()) {
            (Promise::Until(until), [at]) if at < until => {
                faults.push(format!("{table} was released {} ms early", until - at));
            }
            (Promise::Until(_), [_]) | (Promise::Kept, []) => {}
            (Promise::Until(_), []) => faults.push(format!("{table} was never released")),
            (Promise::Until(_), many) => {
                faults.push(format!("{table} was released {} times", many.len()));
            }
            (Promise::Kept, _) => faults.push(format!("{table} was released under its guests")),
        }
        let wanted = if *promise == Promise::Kept {
            Table::Seated
        } else {
            Table::Free
        };
        if floor.get(table) != Some(&wanted) {
            faults.push(format!(
                "{table} is {:?} and should be {wanted:?}",
                floor.get(table)
            ));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_broken_promise_is_found() {
        let release = |table: &str, at_ms| Release {
            table: table.to_owned(),
            at_ms,
        };
        let promises = ["early", "never", "twice", "good"]
            .map(|table| (table.to_owned(), Promise::Until(100)));
        let mut promises: BTreeMap<_, _> = promises.into();
        promises.insert("sat".to_owned(), Promise::Kept);
        promises.insert("chased".to_owned(), Promise::Kept);
        let mut floor: BTreeMap<_, _> = promises
            .keys()
            .map(|table| (table.clone(), Table::Free))
            .collect();
        floor.insert("sat".to_owned(), Table::Seated);
        floor.insert("chased".to_owned(), Table::Seated);
        floor.insert("never".to_owned(), Table::Held);
        let releases = [
            release("early", 99),
            release("twice", 100),
            release("twice", 101),
            release("good", 100),
            release("chased", 100),
        ];
        let found = faults(&promises, &floor, &releases);
        for wrong in [
            "early was released 1 ms early",
            "never was never",
            "never is Some(Held)",
            "twice was released 2",
            "chased was",
        ] {
            assert!(
                found.iter().any(|fault| fault.contains(wrong)),
                "{wrong} is not among {found:?}"
            );
        }
        assert_eq!(found.len(), 5, "{found:?}");
    }
}
