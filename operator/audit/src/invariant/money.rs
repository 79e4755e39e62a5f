//! Invariants of money. All of them are for a person: no program moves money to repair its books.

use super::{Invariant, Repair};

const ABOUT: &str = "money";

pub(super) const ALL: &[&Invariant] = &[
    PAID_EXACTLY,
    PAYMENTS_KEPT,
    PAID_STAYS,
    ADDS_UP,
    REFUNDS_SUM,
    RETURNED_ONCE,
    REFUNDS_ENDED,
    UNMATCHED,
];

pub(crate) const PAID_EXACTLY: &Invariant = &Invariant {
    number: "M1",
    name: "order_paid_exactly",
    about: ABOUT,
    promise: "a paid order has one payment of its amount, any other none",
    compared: "payments with orders in one snapshot; amounts are price times seats",
    matters: "A buyer paid for nothing, twice or the wrong amount, or has seats without payment.",
    causes: "Rows that were changed by hand, or a partial restore.",
    repair: Repair::Person,
    remedy: "Compare the order with the provider's account. Refund what was paid too much; decide about an order that is paid without a payment.",
};

pub(crate) const PAYMENTS_KEPT: &Invariant = &Invariant {
    number: "M2",
    name: "payments_kept",
    about: ABOUT,
    promise: "every payment made is on record, and no other",
    compared: "client logs of the provider with payments, both ways, by reference, order and amount; requires --logs",
    matters: "Money was taken and forgotten, or recorded and never taken.",
    causes: "A restore of PostgreSQL from an older backup; a notification whose signature key leaked.",
    repair: Repair::Person,
    remedy: "Let the provider repeat its notifications (they are idempotent). A payment that the provider has no record of: rotate the key of its signatures.",
};

pub(crate) const PAID_STAYS: &Invariant = &Invariant {
    number: "M3",
    name: "paid_stays_paid",
    about: ABOUT,
    promise: "no paid order was closed",
    compared: "orders that a client saw as paid with their rows; requires --logs",
    matters: "A buyer who has paid has no seat.",
    causes: "A restore of PostgreSQL from an older backup, or rows that were changed by hand.",
    repair: Repair::Person,
    remedy: "If its seats are free, sell them to the buyer again; else refund the payment.",
};

pub(crate) const ADDS_UP: &Invariant = &Invariant {
    number: "M4",
    name: "money_adds_up",
    about: ABOUT,
    promise: "money adds up",
    compared: "the sum of orders that were paid with the sum of payments that paid them; these and what is to be given back with all payments; with --logs, payments answered as applied",
    matters: "The books of the sale do not balance.",
    causes: "As M1; M1 and M5 name the rows.",
    repair: Repair::Person,
    remedy: "Resolve the discrepancies of M1 and M5 first.",
};

pub(crate) const REFUNDS_SUM: &Invariant = &Invariant {
    number: "M5",
    name: "refunds_within_payments",
    about: ABOUT,
    promise: "refunds are within what was paid, orders agree with them",
    compared: "the sums in payments with the rows of refunds; an order is refunding or refunded exactly if all that paid it is claimed, or returned",
    matters: "More was returned than was paid, or an order keeps its seats after its refund.",
    causes: "Rows that were changed by hand, or a partial restore.",
    repair: Repair::Person,
    remedy: "Compare with the provider's account, and correct the rows in one transaction.",
};

pub(crate) const RETURNED_ONCE: &Invariant = &Invariant {
    number: "M6",
    name: "refund_returned_once",
    about: ABOUT,
    promise: "the provider returned each refund once, and nothing else",
    compared: "logs of the provider with refunds, by payment and amount; requires --logs",
    matters: "Money was returned twice, or is recorded as returned and was not.",
    causes: "A provider that ignores Idempotency-Key, or a refund that was recorded by mistake.",
    repair: Repair::Person,
    remedy: "Settle the difference with the provider.",
};

pub(crate) const REFUNDS_ENDED: &Invariant = &Invariant {
    number: "M7",
    name: "refunds_ended",
    about: ABOUT,
    promise: "every refund has ended",
    compared: "refunds are refunded or refused; no payment that is to be refunded is without a refund; with --final and --logs of a provider only",
    matters: "A buyer waits for money.",
    causes: "timeout-closer does not run, or the provider does not answer.",
    repair: Repair::System,
    remedy: "Runbook: refunds_waiting.",
};

pub(crate) const UNMATCHED: &Invariant = &Invariant {
    number: "M8",
    name: "payment_matched",
    about: ABOUT,
    promise: "no payment still waits for an order that exists",
    compared: "unmatched payments with orders. While the system runs, one that waits in both passes",
    matters: "A buyer paid, and the order is closed as unpaid.",
    causes: "timeout-closer does not run: each sweep matches what was stored concurrently.",
    repair: Repair::System,
    remedy: "Mend timeout-closer (runbook: heartbeat). If it runs, report a fault of the software.",
};
