//! Each protection is needed: without it, an interleaving breaks a property. The shortest one is
//! printed; `docs/reference/protections.md` lists what they show.

use model::programs::Caches;
use model::{Exploration, Kept, Protection, Scenario, System, explore};

use crate::protocol::LIMIT;
use crate::scenarios;

fn breaks(protection: Protection, explored: Exploration, what: &str) {
    let violation = explored.violation;
    let violation = violation.unwrap_or_else(|| panic!("{protection:?} is not needed"));
    println!(
        "without {protection:?}: {} ({} states)\n  {}",
        violation.what,
        explored.states,
        violation.trace.join("\n  ")
    );
    assert_eq!(violation.what, what);
}

/// Without the protection, the scenario breaks this property.
fn is_needed(protection: Protection, scenario: &Scenario, what: &str) {
    let scenario = scenario.without(protection);
    breaks(protection, explore(&System { scenario }, LIMIT), what);
}

fn is_needed_by_caches(protection: Protection, what: &str) {
    let kept = Kept::ALL.without(protection);
    breaks(protection, explore(&Caches { kept }, LIMIT), what);
}

#[test]
fn without_fences_a_refused_order_lives() {
    is_needed(
        Protection::Fence,
        &scenarios::publishing(),
        "an order is live after its buyer received the answer that there is none",
    );
}

#[test]
fn without_nonces_two_orders_are_mixed_up() {
    is_needed(
        Protection::Nonce,
        &scenarios::sharing_a_number(),
        "the open gate offers a seat of an accepted order",
    );
}

#[test]
fn without_owners_a_seat_is_offered_twice() {
    is_needed(
        Protection::OwnerCheck,
        &scenarios::publishing(),
        "the open gate offers a seat of an accepted order",
    );
}

#[test]
fn without_the_seat_key_a_seat_is_sold_twice() {
    is_needed(
        Protection::SeatKey,
        &scenarios::losing(),
        "a seat is sold twice",
    );
}

#[test]
fn without_tombstones_an_old_row_takes_a_seat() {
    is_needed(
        Protection::Tombstone,
        &scenarios::auditing(),
        "the open gate offers a seat of an accepted order",
    );
}

#[test]
fn without_the_sweep_a_crash_leaves_marks() {
    is_needed(
        Protection::Sweep,
        &scenarios::ending(),
        "a row stays marked for the sweep",
    );
}

#[test]
fn without_the_audit_an_ended_order_counts_for_ever() {
    is_needed(
        Protection::Audit,
        &scenarios::restoring(),
        "a buyer's tickets differ from the orders of the buyer",
    );
}

#[test]
fn without_barriers_an_accepted_seat_is_offered() {
    is_needed(
        Protection::ClosedRebuild,
        &scenarios::losing(),
        "a gate opens without an accepted order",
    );
}

#[test]
fn without_dirty_flags_a_crash_leaves_the_gate_behind() {
    is_needed(
        Protection::DirtyFlag,
        &scenarios::ending_at_once(),
        "a reservation is never completed",
    );
}

#[test]
fn without_versions_a_late_settle_hides_a_change() {
    is_needed(
        Protection::NewerVersion,
        &scenarios::ending_at_once(),
        "the gate's seats differ from those of Postgres",
    );
}

#[test]
fn without_claims_a_delayed_filling_opens() {
    is_needed(
        Protection::Claim,
        &scenarios::losing_twice(),
        "a gate opens without an accepted order",
    );
}

#[test]
fn without_the_outbox_a_change_is_never_seen() {
    is_needed_by_caches(Protection::Outbox, "the shared cache keeps an old version");
}

#[test]
fn without_floors_a_slow_reader_stores_an_old_version() {
    is_needed_by_caches(
        Protection::VersionFloor,
        "the shared cache keeps an old version",
    );
}

#[test]
#[ignore = "explores everything once more, to find that there is none"]
fn no_scenario_needs_the_lease_token() {
    for scenario in scenarios::all() {
        let name = scenario.name;
        let scenario = scenario.without(Protection::LeaseToken);
        let explored = explore(&System { scenario }, LIMIT);
        crate::protocol::report(name, &explored);
        assert_eq!(explored.violation, None, "{name}");
    }
}
