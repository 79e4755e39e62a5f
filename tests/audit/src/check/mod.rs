//! The checks: pure comparisons of what clients were told, what Postgres says and what Redis holds.

mod leftovers;
mod money;
mod orders;
mod seats;

use crate::gate::Gate;
use crate::log::Log;
use crate::truth::Truth;

/// What the run was.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bounds {
    /// It is over: everything must be final.
    pub over: bool,
    /// Messages parked on purpose.
    pub parked: usize,
    /// Rejections after acceptance are expected (Redis lost data).
    pub allow_rejected: bool,
}

/// Everything that was read.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub log: Log,
    pub truth: Truth,
    pub gate: Gate,
    pub bounds: Bounds,
}

/// One check's result.
#[derive(Debug)]
pub(crate) struct Check {
    /// Heading of the room it belongs to.
    pub about: &'static str,
    /// The promise, in words.
    pub promise: &'static str,
    /// How many things were looked at.
    pub looked_at: usize,
    /// Each breach, in one line.
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

    /// Looks at one more thing; `wrong` tells what is wrong with it, if anything.
    fn look(&mut self, wrong: Option<String>) {
        self.looked_at += 1;
        self.violations.extend(wrong);
    }
}

/// Runs every check that applies. The last ones need a run that is over: while it goes on, Redis
/// and Postgres may rightly differ for a moment.
pub(crate) fn all(world: &World) -> Vec<Check> {
    let mut checks = vec![
        seats::sold_once(world),
        seats::told_once(world),
        seats::rows_match(world),
        seats::maps_agree(world),
        orders::stored_as_accepted(world),
        orders::not_dropped(world),
        orders::failed_means_failed(world),
        orders::one_key_one_order(world),
        orders::limits_kept(world),
        money::orders_paid_exactly(world),
        money::payments_kept(world),
        money::paid_stays_paid(world),
        money::adds_up(world),
        leftovers::parked(world),
    ];
    if world.bounds.over {
        checks.extend([
            seats::held_by_somebody(world),
            seats::live_orders_hold(world),
            seats::tickets_match(world),
            orders::all_final(world),
            money::none_unmatched(world),
            leftovers::timeouts(world),
            leftovers::reservations(world),
            leftovers::dirty(world),
        ]);
    }
    checks.sort_by_key(|c| {
        ["seats", "orders", "money", "left over"]
            .iter()
            .position(|a| *a == c.about)
    });
    checks
}
