//! Invariants of what may remain.

use super::{Invariant, Repair};

const ABOUT: &str = "left over";

pub(super) const ALL: &[&Invariant] = &[PARKED, TIMEOUTS, RESERVATIONS, UNSETTLED, CLOSED];

pub(crate) const PARKED: &Invariant = &Invariant {
    number: "L1",
    name: "parked_on_purpose",
    about: ABOUT,
    promise: "messages were parked only on purpose",
    compared: "the number of parked records that no person has ended with --parked",
    matters: "A record of the orders' topic was no order that could be stored. It may be one of a buyer.",
    causes: "A producer that is not storefront, a version that wrote another format, or a row that contradicts the record.",
    repair: Repair::Person,
    remedy: "GET /parked, then replay or discard each (runbook: record_parked).",
};

pub(crate) const TIMEOUTS: &Invariant = &Invariant {
    number: "L2",
    name: "no_timeout_left",
    about: ABOUT,
    promise: "no timeout still runs",
    compared: "entries of the delay queues; with --final only",
    matters: "Something still waits for its time after the run.",
    causes: "The run is not over, or timeout-closer does not run.",
    repair: Repair::System,
    remedy: "Wait for the next tick of timeout-closer.",
};

pub(crate) const RESERVATIONS: &Invariant = &Invariant {
    number: "L3",
    name: "reservation_finished",
    about: ABOUT,
    promise: "no reservation is unfinished",
    compared: "reservations in Redis with rows. While the system runs, one in flight that has its timeout entry is left out, and one whose order is not settled yet",
    matters: "A reservation without a timeout entry and without a row holds its seats for ever. One of an order that has ended may answer a repeated request wrongly.",
    causes: "A failover of Redis that lost the last writes, or a restored copy of Redis.",
    repair: Repair::Mend,
    remedy: "ticket-mend settles the gate by the row. Without a row it schedules a timeout entry, and timeout-closer decides.",
};

pub(crate) const UNSETTLED: &Invariant = &Invariant {
    number: "L4",
    name: "gate_settled",
    about: ABOUT,
    promise: "no order waits to be reconciled",
    compared: "dirty rows and unsettled batches. While the system runs, those that wait in both passes",
    matters: "The gate lacks the last change of an order.",
    causes: "Redis was away, or a function ended after its commit. The sweep settles such rows once a minute.",
    repair: Repair::Mend,
    remedy: "ticket-mend settles the gate by the row, as the sweep does.",
};

pub(crate) const CLOSED: &Invariant = &Invariant {
    number: "L5",
    name: "gate_open",
    about: ABOUT,
    promise: "no program with orders is closed for filling",
    compared: "the state of each program in Redis; one without orders may be absent. While the system runs, one that is closed in both passes",
    matters: "Orders of the program are answered 503.",
    causes: "A loss of Redis; the filling waits for order-create, or no request came that begins it.",
    repair: Repair::System,
    remedy: "Mend order-create first (runbook: GatesFilling). The first request for a program begins its filling (GET /programs/ID/seats); each tick and each request continue it.",
};
