//! The invariants that the audit checks, each with a stable number, and their explanations. Pure.
//!
//! A number is never given to another invariant: reports, metrics and the runbook name it.

mod leftovers;
mod money;
mod orders;
mod seats;

use serde::Serialize;

/// One invariant.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Invariant {
    /// Stable number: `S` seats, `O` orders, `M` money, `L` left over.
    pub number: &'static str,
    /// Stable name, for metrics.
    pub name: &'static str,
    /// The subject.
    pub about: &'static str,
    /// The invariant as a sentence.
    pub promise: &'static str,
    /// What is compared, and when.
    pub compared: &'static str,
    /// Why it matters.
    pub matters: &'static str,
    /// What can break it.
    pub causes: &'static str,
    /// Who repairs it.
    pub repair: Repair,
    /// How.
    pub remedy: &'static str,
}

/// Who repairs a discrepancy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Repair {
    /// `ticket-mend`, by the row of `PostgreSQL`.
    Mend,
    /// The running functions; a later audit shows whether they did.
    System,
    /// A person: money, or two buyers with a claim to one seat.
    Person,
}

/// What a person does about an order that the gate calls stored and that has no row.
pub(crate) const WENT_BACK: &str = "PostgreSQL was restored from an older backup. Restore the row, or \
    refund the buyer";
/// What a person does about a seat that two live orders claim.
pub(crate) const TWO_ORDERS: &str = "two live orders claim the seat: see S1";
/// What a person does about an owner of a seat that the program does not have.
pub(crate) const OUTSIDE: &str = "the layout was changed: restore it (runbook: order_outside_map)";

impl Repair {
    /// For the report.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Mend => "ticket-mend repairs it",
            Self::System => "the running functions repair it",
            Self::Person => "a person decides",
        }
    }
}

/// All invariants, in the order of reports.
pub(crate) fn all() -> impl Iterator<Item = &'static Invariant> {
    [seats::ALL, orders::ALL, money::ALL, leftovers::ALL]
        .into_iter()
        .flatten()
        .copied()
}

/// The invariant of a number, in any case.
pub(crate) fn find(number: &str) -> Option<&'static Invariant> {
    all().find(|invariant| invariant.number.eq_ignore_ascii_case(number))
}

pub(crate) use leftovers::{CLOSED, PARKED, RESERVATIONS, TIMEOUTS, UNSETTLED};
pub(crate) use money::{
    ADDS_UP, PAID_EXACTLY, PAID_STAYS, PAYMENTS_KEPT, REFUNDS_ENDED, REFUNDS_SUM, RETURNED_ONCE,
    UNMATCHED,
};
pub(crate) use orders::{DROPPED, FAILED, FINAL, KEYS, LIMITS, STORED};
pub(crate) use seats::{BLOCKED, HELD, HOLDS, MAPS, PROMISED, ROWS, SOLD_ONCE, TICKETS};

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn numbers_and_names_are_unique() {
        let numbers: BTreeSet<&str> = all().map(|i| i.number).collect();
        let names: BTreeSet<&str> = all().map(|i| i.name).collect();
        assert_eq!((numbers.len(), names.len()), (all().count(), all().count()));
    }

    #[test]
    fn every_number_begins_with_its_subject() {
        for invariant in all() {
            let subject = match &invariant.number[..1] {
                "S" => "seats",
                "O" => "orders",
                "M" => "money",
                _ => "left over",
            };
            assert_eq!(invariant.about, subject, "{}", invariant.number);
            assert_eq!(find(&invariant.number.to_lowercase()), Some(invariant));
        }
    }
}
