//! Invariants of seats.

use super::{Invariant, Repair};

const ABOUT: &str = "seats";

pub(super) const ALL: &[&Invariant] = &[
    SOLD_ONCE, PROMISED, ROWS, MAPS, HELD, HOLDS, TICKETS, BLOCKED,
];

pub(crate) const SOLD_ONCE: &Invariant = &Invariant {
    number: "S1",
    name: "seat_sold_once",
    about: ABOUT,
    promise: "no seat is sold twice",
    compared: "the seats of live orders (unpaid, paid, refunding), from the orders themselves and not from the table whose key forbids it",
    matters: "Two buyers have a valid ticket for one seat.",
    causes: "Rows that were changed by hand, or a restore that mixed two backups. The primary key of order_seats prevents it otherwise.",
    repair: Repair::Person,
    remedy: "Decide which order keeps the seat. Refund the other one (POST /orders/NUMBER/refund if it is paid) and inform its buyer. ticket-mend refuses both orders.",
};

pub(crate) const PROMISED: &Invariant = &Invariant {
    number: "S2",
    name: "seat_promised_once",
    about: ABOUT,
    promise: "no seat was promised to two buyers who paid",
    compared: "the client logs alone, except for refunds; requires --logs",
    matters: "As S1, but found even if PostgreSQL lost the rows.",
    causes: "A restore of PostgreSQL from an older backup, after which seats were sold again.",
    repair: Repair::Person,
    remedy: "Decide which order keeps the seat; refund the other one.",
};

pub(crate) const ROWS: &Invariant = &Invariant {
    number: "S3",
    name: "seat_rows",
    about: ABOUT,
    promise: "seat rows and live orders say the same",
    compared: "order_seats with orders, both ways, in one snapshot",
    matters: "order_seats is what keeps a seat from being sold twice. A live order without its row can lose its seat to another buyer; a row without a live order blocks the seat for ever.",
    causes: "Rows that were changed by hand, or a partial restore. Every statement of the sale changes both tables in one transaction.",
    repair: Repair::Person,
    remedy: "Find who changed the rows (logs of PostgreSQL, restores). Correct order_seats in one transaction that locks the order; then run the audit again.",
};

pub(crate) const MAPS: &Invariant = &Invariant {
    number: "S4",
    name: "seat_map",
    about: ABOUT,
    promise: "Redis' maps, owners and free counts agree",
    compared: "each chunk of the seat map with its owners in one step: a seat is taken if and only if it has an owner; longest runs and, if the category did not change meanwhile, the free count are counted again",
    matters: "A seat that is taken without an owner is never sold. A wrong count makes a program look sold out, or searches fail.",
    causes: "Another program that writes to this Redis, a Redis that evicts keys, or a fault of a script.",
    repair: Repair::Mend,
    remedy: "ticket-mend compares the chunk as the sweep of timeout-closer does: it counts again, and frees a seat without an owner only if neither a row nor a reservation holds it. A chunk of another size is filled again by the next request for the program.",
};

pub(crate) const HELD: &Invariant = &Invariant {
    number: "S5",
    name: "seat_held_by_live_order",
    about: ABOUT,
    promise: "every held seat has a live order",
    compared: "every owner in Redis with the rows, by number and nonce. While the system runs, a reservation in flight that has its timeout entry may hold seats, and an order whose row is not settled yet",
    matters: "The seat is not on sale, and nobody has bought it.",
    causes: "A failover of Redis that lost the last writes, a restored copy of Redis, or a function that ended before it settled the gate.",
    repair: Repair::Mend,
    remedy: "ticket-mend frees the seats of an order that has ended. An order without a row and without a reservation is fenced first; one with a reservation gets a timeout entry, and timeout-closer decides.",
};

pub(crate) const HOLDS: &Invariant = &Invariant {
    number: "S6",
    name: "live_order_holds_seats",
    about: ABOUT,
    promise: "every live order holds its seats in Redis",
    compared: "the seats of live rows with the owners in Redis. While the system runs, an order that is not settled yet is left out, and a program that is being filled",
    matters: "Redis sells the seat again. PostgreSQL refuses the second order, so its buyer received 202 for an order that becomes rejected.",
    causes: "A failover of Redis that lost the last writes, or deleted keys.",
    repair: Repair::Mend,
    remedy: "ticket-mend settles the gate by the row: the order gets its seats back.",
};

pub(crate) const TICKETS: &Invariant = &Invariant {
    number: "S7",
    name: "ticket_counts",
    about: ABOUT,
    promise: "buyers' ticket counts in Redis are their live orders",
    compared: "the counts of each buyer with the rows, both ways. While the system runs, orders in flight and orders that are not settled yet are left out",
    matters: "A buyer is refused although the limit is not reached, or may buy more than the limit.",
    causes: "A restored copy of Redis, or a failover that lost the last writes.",
    repair: Repair::Mend,
    remedy: "ticket-mend corrects the counts by the rows and the reservations in flight.",
};

pub(crate) const BLOCKED: &Invariant = &Invariant {
    number: "S8",
    name: "blocked_seats",
    about: ABOUT,
    promise: "Redis blocks the seats that PostgreSQL blocks",
    compared: "every seat of the maps with blocked_seats, both ways. While the system runs, a program whose seats are being changed is left out",
    matters: "A blocked seat is sold, or a seat that is for sale is not.",
    causes: "A restored copy of Redis, a failover that lost the last writes, or rows that were changed by hand.",
    repair: Repair::Mend,
    remedy: "ticket-mend blocks and unblocks the seats of the chunk as PostgreSQL says.",
};
