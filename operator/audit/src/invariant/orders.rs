//! Invariants of orders.

use super::{Invariant, Repair};

const ABOUT: &str = "orders";

pub(super) const ALL: &[&Invariant] = &[STORED, DROPPED, FAILED, KEYS, LIMITS, FINAL];

pub(crate) const STORED: &Invariant = &Invariant {
    number: "O1",
    name: "order_stored_as_accepted",
    about: ABOUT,
    promise: "every accepted order is stored as it was answered",
    compared: "client logs with orders: buyer, program, seats, amount; a missing row counts with --final only, since the order may still be in Kafka; requires --logs",
    matters: "A buyer was promised an order that does not exist, or another one.",
    causes: "Records that Kafka lost (an unclean election, retention), or a restore of PostgreSQL.",
    repair: Repair::Person,
    remedy: "Look for the record in the topic and in parked records, and replay it. If it is lost, inform the buyer and refund payments for it.",
};

pub(crate) const DROPPED: &Invariant = &Invariant {
    number: "O2",
    name: "order_not_dropped",
    about: ABOUT,
    promise: "no accepted order was dropped afterwards",
    compared: "client logs with orders: not void unless its buyer cancelled it, not rejected unless --allow-rejected; requires --logs",
    matters: "A buyer received 202 and has no order.",
    causes: "A lost record (alarm order_fenced), or a loss of Redis data after which a seat was sold again.",
    repair: Repair::Person,
    remedy: "Inform the buyer, and refund payments for the order. The runbook's order_fenced has the causes.",
};

pub(crate) const FAILED: &Invariant = &Invariant {
    number: "O3",
    name: "failed_request_has_no_order",
    about: ABOUT,
    promise: "no order exists whose request was answered as failed",
    compared: "orders with client logs; answers that promise nothing (none at all, 500, 502, 504, a 503 without a code or with unknown_repeat_with_same_key) are left out; requires --logs",
    matters: "A buyer was informed that there is no order, and may have to pay for one.",
    causes: "Incomplete client logs, or a fault of storefront.",
    repair: Repair::Person,
    remedy: "Check whether the logs of all clients were given. Otherwise cancel the order, or refund it, and report a fault of the software.",
};

pub(crate) const KEYS: &Invariant = &Invariant {
    number: "O4",
    name: "one_key_one_order",
    about: ABOUT,
    promise: "one idempotency key makes one order",
    compared: "orders that were stored (not void or rejected) by user, program and key; with --logs the answers as well",
    matters: "A repeated request bought twice.",
    causes: "An index that was dropped or is damaged. The unique index orders_idempotency prevents it otherwise.",
    repair: Repair::Person,
    remedy: "Find out from the buyer which order is meant; refund or cancel the other one. Check the index with amcheck.",
};

pub(crate) const LIMITS: &Invariant = &Invariant {
    number: "O5",
    name: "ticket_limit",
    about: ABOUT,
    promise: "no buyer has more tickets than the limit",
    compared: "live orders by program and user with the program's limit",
    matters: "One buyer has more tickets than the seller allows.",
    causes: "A limit that was lowered after the sale began, or a loss of Redis: the limit is kept there.",
    repair: Repair::Person,
    remedy: "Decide whether the buyer keeps the tickets. A lowered limit needs no action.",
};

pub(crate) const FINAL: &Invariant = &Invariant {
    number: "O6",
    name: "order_is_final",
    about: ABOUT,
    promise: "every order is in a final state",
    compared: "the states of all orders; with --final only",
    matters: "An order that never ends keeps its seats.",
    causes: "timeout-closer does not run, a payment waits for the order, or a refund is not decided.",
    repair: Repair::System,
    remedy: "Find why timeout-closer does not close it (runbook: OverdueOrders, RefundsRefused).",
};
