//! The checks: pure comparisons of client logs, Postgres and Redis.

mod blocked;
mod leftovers;
mod money;
mod orders;
mod refunds;
mod seats;
#[cfg(test)]
mod tests;

use crate::finding::Finding;
use crate::gate::{Gate, TIMEOUT_QUEUE};
use crate::invariant::Invariant;
use crate::log::Log;
use crate::tables::{Order, Program, Tables};

/// What is allowed in this run.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bounds {
    /// The run is over: everything must be final.
    pub over: bool,
    /// Client logs were given.
    pub logs: bool,
    /// Messages parked on purpose.
    pub parked: usize,
    /// Rejections after acceptance are expected (Redis lost data).
    pub allow_rejected: bool,
}

/// Everything that was read.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    pub log: Log,
    pub tables: Tables,
    pub gate: Gate,
    pub bounds: Bounds,
}

impl Evidence {
    /// While the system runs, the gate may lack the last change of a row until it is settled.
    fn is_settling(&self, row: &Order) -> bool {
        let unsettled = row.dirty || self.tables.unsettled.contains(&row.number);
        unsettled && !self.bounds.over
    }

    /// While the system runs, a reservation without a row is in flight as long as its timeout entry
    /// exists: that entry ends it.
    fn is_in_flight(&self, number: &str, nonce: &str) -> bool {
        let reservation = self.gate.reservations.get(number);
        let is_its_own = reservation.is_some_and(|r| r.nonce == nonce && r.state != "stored");
        let entry = format!("{TIMEOUT_QUEUE} {number}");
        !self.bounds.over && is_its_own && self.gate.due.contains(&entry)
    }

    /// While the system runs, the gate may lack the last change of a program's seats.
    fn is_changing(&self, program: &Program) -> bool {
        !self.bounds.over && program.changing || self.is_filling(&program.id)
    }

    /// While the system runs, a program that is being filled may lack anything.
    fn is_filling(&self, program: &str) -> bool {
        let hall = self.gate.halls.get(program);
        !self.bounds.over && hall.is_none_or(|hall| !hall.is_open())
    }
}

/// One check's result.
#[derive(Debug, Clone)]
pub(crate) struct Check {
    /// What is checked.
    pub invariant: &'static Invariant,
    /// Number of compared items.
    pub looked_at: usize,
    /// What contradicts the invariant.
    pub findings: Vec<Finding>,
}

impl Check {
    fn new(invariant: &'static Invariant) -> Self {
        Self {
            invariant,
            looked_at: 0,
            findings: Vec::new(),
        }
    }

    /// Counts one item. `wrong` describes a discrepancy.
    fn look(&mut self, wrong: Option<Finding>) {
        self.looked_at += 1;
        self.findings.extend(wrong);
    }
}

/// Runs every check that applies: some need client logs, some need that the run is over.
pub(crate) fn all(evidence: &Evidence) -> Vec<Check> {
    let mut checks = vec![
        seats::sold_once(evidence),
        seats::rows_match(evidence),
        seats::maps_agree(evidence),
        seats::held_by_live_orders(evidence),
        seats::live_orders_hold(evidence),
        seats::tickets_match(evidence),
        blocked::same_in_both(evidence),
        orders::one_key_one_order(evidence),
        orders::limits_kept(evidence),
        money::orders_paid_exactly(evidence),
        money::adds_up(evidence),
        money::none_unmatched(evidence),
        refunds::sums_agree(evidence),
        leftovers::parked(evidence),
        leftovers::reservations(evidence),
        leftovers::unsettled(evidence),
        leftovers::closed(evidence),
    ];
    if evidence.bounds.logs {
        checks.extend([
            seats::promised_once(evidence),
            orders::stored_as_accepted(evidence),
            orders::not_dropped(evidence),
            orders::failed_means_failed(evidence),
            money::payments_kept(evidence),
            money::paid_stays_paid(evidence),
            refunds::returned_once(evidence),
        ]);
    }
    if evidence.bounds.over {
        checks.extend([orders::all_final(evidence), leftovers::timeouts(evidence)]);
    }
    if evidence.bounds.over && evidence.bounds.logs {
        checks.push(refunds::all_ended(evidence));
    }
    let place = |check: &Check| {
        crate::invariant::all().position(|invariant| invariant.number == check.invariant.number)
    };
    checks.sort_by_key(place);
    checks
}
