//! Verifies the end state. Pure: compares promises, tables and releases.

use std::collections::BTreeMap;

use crate::tables::Table;

/// What a guest was promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Promise {
    /// The table is held until at least this time, milliseconds by Redis' clock, then released.
    Until(u64),
    /// The guest arrived; the table is never released.
    Kept,
}

/// A release that freed a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Release {
    pub(crate) table: String,
    /// Redis' clock, milliseconds.
    pub(crate) at_ms: u64,
}

/// Every violation, in a sentence.
pub(crate) fn violations(
    promises: &BTreeMap<String, Promise>,
    tables: &BTreeMap<String, Table>,
    releases: &[Release],
) -> Vec<String> {
    let mut violations = Vec::new();
    for (table, promise) in promises {
        let times: Vec<u64> = releases
            .iter()
            .filter(|release| release.table == *table)
            .map(|release| release.at_ms)
            .collect();
        match (promise, times.as_slice()) {
            (Promise::Until(until), [at]) if at < until => {
                violations.push(format!("{table} was released {} ms early", until - at));
            }
            (Promise::Until(_), [_]) | (Promise::Kept, []) => {}
            (Promise::Until(_), []) => violations.push(format!("{table} was never released")),
            (Promise::Until(_), many) => {
                violations.push(format!("{table} was released {} times", many.len()));
            }
            (Promise::Kept, _) => {
                violations.push(format!("{table} was released while its guest was seated"));
            }
        }
        let expected = if *promise == Promise::Kept {
            Table::Seated
        } else {
            Table::Free
        };
        if tables.get(table) != Some(&expected) {
            violations.push(format!(
                "{table} is {:?} and should be {expected:?}",
                tables.get(table)
            ));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_violation_is_found() {
        let release = |table: &str, at_ms| Release {
            table: table.to_owned(),
            at_ms,
        };
        let promises = ["early", "never", "twice", "good"]
            .map(|table| (table.to_owned(), Promise::Until(100)));
        let mut promises: BTreeMap<_, _> = promises.into();
        promises.insert("sat".to_owned(), Promise::Kept);
        promises.insert("chased".to_owned(), Promise::Kept);
        let mut tables: BTreeMap<_, _> = promises
            .keys()
            .map(|table| (table.clone(), Table::Free))
            .collect();
        tables.insert("sat".to_owned(), Table::Seated);
        tables.insert("chased".to_owned(), Table::Seated);
        tables.insert("never".to_owned(), Table::Held);
        let releases = [
            release("early", 99),
            release("twice", 100),
            release("twice", 101),
            release("good", 100),
            release("chased", 100),
        ];
        let found = violations(&promises, &tables, &releases);
        for wrong in [
            "early was released 1 ms early",
            "never was never",
            "never is Some(Held)",
            "twice was released 2",
            "chased was",
        ] {
            assert!(
                found.iter().any(|violation| violation.contains(wrong)),
                "{wrong} is not among {found:?}"
            );
        }
        assert_eq!(found.len(), 5, "{found:?}");
    }
}
