//! The checks: pure comparisons of client logs, Postgres and Redis.

mod leftovers;
mod money;
mod orders;
mod refunds;
mod seats;

use crate::gate::Gate;
use crate::log::Log;
use crate::tables::Tables;

/// What is allowed in this run.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bounds {
    /// The run is over: everything must be final.
    pub over: bool,
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

/// One check's result.
#[derive(Debug)]
pub(crate) struct Check {
    /// The subject: seats, orders, money, left over.
    pub about: &'static str,
    /// The promise.
    pub promise: &'static str,
    /// Number of compared items.
    pub looked_at: usize,
    /// One line per violation.
    pub violations: Vec<String>,
}

impl Check {
    fn new(about: &'static str, promise: &'static str) -> Self {
        Self {
            about,
            promise,
            looked_at: 0,
            violations: Vec::new(),
        }
    }

    /// Counts one item. `wrong` describes a violation.
    fn look(&mut self, wrong: Option<String>) {
        self.looked_at += 1;
        self.violations.extend(wrong);
    }
}

/// Runs every check that applies. The last ones require that the run is over: before, Redis and
/// Postgres may differ for a moment.
pub(crate) fn all(evidence: &Evidence) -> Vec<Check> {
    let mut checks = vec![
        seats::sold_once(evidence),
        seats::promised_once(evidence),
        seats::rows_match(evidence),
        seats::maps_agree(evidence),
        orders::stored_as_accepted(evidence),
        orders::not_dropped(evidence),
        orders::failed_means_failed(evidence),
        orders::one_key_one_order(evidence),
        orders::limits_kept(evidence),
        money::orders_paid_exactly(evidence),
        money::payments_kept(evidence),
        money::paid_stays_paid(evidence),
        money::adds_up(evidence),
        refunds::sums_agree(evidence),
        refunds::returned_once(evidence),
        leftovers::parked(evidence),
    ];
    if evidence.bounds.over {
        checks.extend([
            seats::held_by_live_orders(evidence),
            seats::live_orders_hold(evidence),
            seats::tickets_match(evidence),
            orders::all_final(evidence),
            money::none_unmatched(evidence),
            refunds::all_ended(evidence),
            leftovers::timeouts(evidence),
            leftovers::reservations(evidence),
            leftovers::dirty(evidence),
        ]);
    }
    checks.sort_by_key(|c| {
        ["seats", "orders", "money", "left over"]
            .iter()
            .position(|a| *a == c.about)
    });
    checks
}
