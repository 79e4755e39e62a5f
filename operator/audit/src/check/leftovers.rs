//! Checks of what may remain after a run.

use std::collections::BTreeSet;

use super::{Check, Evidence};
use crate::finding::{Subject, everything, order, program};
use crate::invariant;
use crate::tables::Order;

pub(super) fn parked(evidence: &Evidence) -> Check {
    let mut check = Check::new(invariant::PARKED);
    let parked = &evidence.tables.parked;
    check.looked_at = parked.len();
    if parked.len() != evidence.bounds.parked {
        let (n, expected) = (parked.len(), evidence.bounds.parked);
        let text = format!("{n} messages parked, {expected} on purpose");
        check.findings.push(everything().found(text));
        check.findings.extend(parked.iter().map(|message| {
            let subject = Subject {
                record: Some(message.place.clone()),
                ..everything()
            };
            subject.found(format!("{}: {}", message.place, message.reason))
        }));
    }
    check
}

pub(super) fn timeouts(evidence: &Evidence) -> Check {
    let mut check = Check::new(invariant::TIMEOUTS);
    check.looked_at = evidence.tables.stored_orders();
    check.findings.extend(evidence.gate.due.iter().map(|entry| {
        let id = entry.split(' ').next_back().unwrap_or(entry);
        order(id).found(format!("delay entry {entry}"))
    }));
    check
}

/// Every reservation belongs to a stored order, or is gone.
pub(super) fn reservations(evidence: &Evidence) -> Check {
    let mut check = Check::new(invariant::RESERVATIONS);
    for (number, reservation) in &evidence.gate.reservations {
        let row = evidence.tables.orders.get(number);
        let finished = reservation.state == "stored" && row.is_some_and(Order::live);
        let excused = match row {
            Some(row) => evidence.is_settling(row),
            None => evidence.is_in_flight(number, &reservation.nonce),
        };
        let excused = excused || evidence.is_filling(&reservation.program);
        let status = row.map_or("not in Postgres", |o| o.status.as_str());
        check.look((!finished && !excused).then(|| {
            let subject = program(&reservation.program).order(number);
            let found = subject.nonce(&reservation.nonce).found(format!(
                "order {number}: reservation {}, order {status}",
                reservation.state
            ));
            // Only a database that went back in time lacks the row of a stored order.
            match row {
                None if reservation.state == "stored" => found.for_person(invariant::WENT_BACK),
                _ => found,
            }
        }));
    }
    check
}

pub(super) fn unsettled(evidence: &Evidence) -> Check {
    let mut check = Check::new(invariant::UNSETTLED);
    for row in evidence.tables.orders.values() {
        check.look(row.dirty.then(|| {
            let text = format!("order {} ({}) is dirty", row.number, row.status);
            order(&row.number).found(text)
        }));
    }
    for number in &evidence.tables.unsettled {
        let text = format!("order {number} was stored, and the gate is not settled by it");
        check.look(Some(order(number).found(text)));
    }
    check
}

pub(super) fn closed(evidence: &Evidence) -> Check {
    let mut check = Check::new(invariant::CLOSED);
    let live = evidence.tables.live();
    let sold: BTreeSet<&str> = live.filter_map(|row| row.program.as_deref()).collect();
    for (id, hall) in &evidence.gate.halls {
        let text = match hall.head.is_empty() {
            // The first request for a program installs it.
            true if !sold.contains(id.as_str()) => None,
            true => Some(format!(
                "program {id} is not in the gate, and has live orders"
            )),
            false if hall.is_open() => None,
            false => Some(format!(
                "program {id} is still closed: its seat map is loading"
            )),
        };
        check.look(text.map(|text| program(id).found(text)));
    }
    check
}
