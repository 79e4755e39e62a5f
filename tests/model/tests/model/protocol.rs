//! With all protections, no interleaving breaks a property.

use model::programs::Caches;
use model::{Exploration, Kept, Scenario, System, explore};

use crate::scenarios;

/// States of a scenario at most.
pub(crate) const LIMIT: usize = 2_000_000;

pub(crate) fn report(name: &str, explored: &Exploration) {
    println!(
        "{name}: {} states, {} at rest, {} steps, depth {}, {:.1} s",
        explored.states,
        explored.at_rest,
        explored.steps,
        explored.depth,
        explored.time.as_secs_f64()
    );
}

fn holds(scenario: Scenario) {
    let name = scenario.name;
    let explored = explore(&System { scenario }, LIMIT);
    report(name, &explored);
    assert!(!explored.exceeded, "{name} allows too many states");
    if let Some(violation) = explored.violation {
        panic!("{name}: {}\n{}", violation.what, violation.trace.join("\n"));
    }
}

#[test]
fn publishes_that_fail_lose_no_order() {
    holds(scenarios::publishing());
}

#[test]
fn killed_processes_leave_nothing_behind() {
    holds(scenarios::dying());
}

#[test]
fn an_order_ends_in_one_way() {
    holds(scenarios::ending());
}

#[test]
fn the_gate_agrees_before_any_time_is_over() {
    holds(scenarios::ending_at_once());
}

#[test]
fn a_refund_is_made_once_and_frees_its_seat() {
    holds(scenarios::refunding());
}

#[test]
fn two_payments_of_an_order_are_both_refunded() {
    holds(scenarios::refunding_twice());
}

#[test]
fn the_audit_frees_no_seat_of_another_order() {
    holds(scenarios::auditing());
}

#[test]
fn a_loss_of_redis_loses_no_accepted_order() {
    holds(scenarios::losing());
}

#[test]
fn a_filling_survives_another_loss() {
    holds(scenarios::losing_twice());
}

#[test]
fn a_failover_without_the_last_writes_is_repaired() {
    holds(scenarios::going_back());
}

#[test]
fn the_audit_repairs_a_gate_that_went_back() {
    holds(scenarios::restoring());
}

#[test]
fn a_repeated_request_is_one_order() {
    holds(scenarios::repeating());
}

#[test]
fn two_orders_of_a_number_stay_apart() {
    holds(scenarios::sharing_a_number());
}

#[test]
fn no_cache_keeps_an_old_program() {
    let explored = explore(&Caches { kept: Kept::ALL }, LIMIT);
    report("caches", &explored);
    assert_eq!(explored.violation, None);
}
