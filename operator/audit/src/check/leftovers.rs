//! Checks of what may remain after a run.

use super::{Check, Evidence};

pub(super) fn parked(evidence: &Evidence) -> Check {
    let mut check = Check::new("left over", "messages were parked only on purpose");
    check.looked_at = evidence.tables.parked.len();
    if evidence.tables.parked.len() != evidence.bounds.parked {
        let n = evidence.tables.parked.len();
        check.violations.push(format!(
            "{n} messages parked, {} on purpose",
            evidence.bounds.parked
        ));
        check.violations.extend(
            evidence
                .tables
                .parked
                .iter()
                .map(|p| format!("{}: {}", p.place, p.reason)),
        );
    }
    check
}

pub(super) fn timeouts(evidence: &Evidence) -> Check {
    let mut check = Check::new("left over", "no timeout still runs");
    check.looked_at = evidence.tables.orders.len();
    check.violations.extend(
        evidence
            .gate
            .due
            .iter()
            .map(|entry| format!("delay entry {entry}")),
    );
    check
}

/// Every reservation belongs to a stored order, or is gone.
pub(super) fn reservations(evidence: &Evidence) -> Check {
    let mut check = Check::new("left over", "no reservation is unfinished");
    for (number, reservation) in &evidence.gate.reservations {
        let finished = reservation.state == "stored"
            && evidence
                .tables
                .orders
                .get(number)
                .is_some_and(crate::tables::Order::live);
        let status = evidence
            .tables
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

pub(super) fn dirty(evidence: &Evidence) -> Check {
    let mut check = Check::new("left over", "no order waits to be reconciled");
    for row in evidence.tables.orders.values() {
        check.look(
            row.dirty
                .then(|| format!("order {} ({}) is dirty", row.number, row.status)),
        );
    }
    for number in &evidence.tables.unsettled {
        check.look(Some(format!(
            "order {number} was stored, and the gate is not settled by it"
        )));
    }
    for (program, hall) in &evidence.gate.halls {
        let open = hall.head.get("state").is_none_or(|s| s == "open");
        check.look(
            (!open).then(|| format!("program {program} is still closed: its seat map is loading")),
        );
    }
    check
}
