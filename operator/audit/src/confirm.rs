//! What two passes over a running system both found. Pure.
//!
//! Redis and Postgres are not read at the same moment, so one pass may find a write under way. A
//! write has ended by the second pass; a discrepancy has not.

use std::collections::BTreeSet;

use crate::check::Check;
use crate::finding::Subject;

/// The second pass, without what the first one did not find.
pub(crate) fn confirmed(first: &[Check], mut second: Vec<Check>) -> Vec<Check> {
    let before: BTreeSet<(&str, &Subject)> = first
        .iter()
        .flat_map(|check| {
            let findings = check.findings.iter();
            findings.map(|finding| (check.invariant.number, &finding.subject))
        })
        .collect();
    for check in &mut second {
        let number = check.invariant.number;
        check
            .findings
            .retain(|finding| before.contains(&(number, &finding.subject)));
    }
    second
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Finding, order, program};
    use crate::invariant::{self, Invariant};

    fn check(invariant: &'static Invariant, findings: Vec<Finding>) -> Check {
        Check {
            invariant,
            looked_at: 9,
            findings,
        }
    }

    #[test]
    fn only_what_both_passes_found_remains() {
        let stuck = || order("101").found("order 101 (paid) is dirty".to_owned());
        let first = [check(
            invariant::UNSETTLED,
            vec![stuck(), order("102").found("under way".to_owned())],
        )];
        let again = order("101").found("order 101 (closed) is dirty".to_owned());
        let second = vec![check(
            invariant::UNSETTLED,
            vec![again.clone(), order("103").found("under way".to_owned())],
        )];
        let found = confirmed(&first, second);
        assert_eq!(found[0].findings, [again]);
        assert_eq!(found[0].looked_at, 9);
    }

    #[test]
    fn the_same_subject_of_another_invariant_is_another_discrepancy() {
        let seat = || program("7").seat(3).found(String::new());
        let first = [check(invariant::MAPS, vec![seat()])];
        let found = confirmed(&first, vec![check(invariant::HELD, vec![seat()])]);
        assert!(found[0].findings.is_empty());
    }
}
