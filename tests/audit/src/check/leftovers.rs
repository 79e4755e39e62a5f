//! What must be gone, or counted, when a run is over.

use super::{Check, World};

pub(super) fn parked(world: &World) -> Check {
    let mut check = Check::new("left over", "messages were parked only on purpose");
    check.looked_at = world.truth.parked.len();
    if world.truth.parked.len() != world.bounds.parked {
        let n = world.truth.parked.len();
        check.violations.push(format!(
            "{n} messages parked, {} on purpose",
            world.bounds.parked
        ));
        check.violations.extend(
            world
                .truth
                .parked
                .iter()
                .map(|p| format!("{}: {}", p.place, p.reason)),
        );
    }
    check
}

pub(super) fn timeouts(world: &World) -> Check {
    let mut check = Check::new("left over", "no timeout still runs");
    check.looked_at = world.truth.orders.len();
    check.violations.extend(
        world
            .gate
            .due
            .iter()
            .map(|entry| format!("delay entry {entry}")),
    );
    check
}

/// A reservation ends as a stored order's, or it ends.
pub(super) fn reservations(world: &World) -> Check {
    let mut check = Check::new("left over", "no reservation is unfinished");
    for (number, reservation) in &world.gate.reservations {
        let finished = reservation.state == "stored"
            && world
                .truth
                .orders
                .get(number)
                .is_some_and(crate::truth::Order::live);
        let status = world
            .truth
            .orders
            .get(number)
            .map_or("not in Postgres", |o| o.status.as_str());
        check.look((!finished).then(|| {
            format!(
                "order {number}: reservation {}, order {status}",
                reservation.state
            )
        }));
    }
    check
}

pub(super) fn dirty(world: &World) -> Check {
    let mut check = Check::new("left over", "no order waits to be reconciled");
    for row in world.truth.orders.values() {
        check.look(
            row.dirty
                .then(|| format!("order {} ({}) is dirty", row.number, row.status)),
        );
    }
    for number in &world.truth.unsettled {
        check.look(Some(format!(
            "order {number} was stored, and the gate was never told"
        )));
    }
    for (program, hall) in &world.gate.halls {
        let open = hall.head.get("state").is_none_or(|s| s == "open");
        check.look(
            (!open).then(|| format!("program {program} is still closed: its seat map is loading")),
        );
    }
    check
}
