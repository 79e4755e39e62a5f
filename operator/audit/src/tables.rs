//! The rows of Postgres, the source of truth, that the checks need. Pure.

use std::collections::{BTreeMap, BTreeSet};

/// A category of a program and the shape of its seat map.
#[derive(Debug, Clone)]
pub(crate) struct Category {
    pub no: i64,
    pub first_seat: i64,
    pub rows: i64,
    pub row_len: i64,
}

impl Category {
    /// Seats of a full chunk: whole rows, at most 2048 seats (or one row).
    pub(crate) fn chunk_seats(&self) -> i64 {
        (2048 / self.row_len).max(1) * self.row_len
    }

    pub(crate) fn seats(&self) -> i64 {
        self.rows * self.row_len
    }
}

/// A program.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    pub id: String,
    pub shard: i64,
    pub user_limit: i64,
    /// The gate may lack the last change of its seats.
    pub changing: bool,
    pub categories: Vec<Category>,
}

/// A row of `orders`.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub number: String,
    pub nonce: String,
    pub user: Option<String>,
    pub program: Option<String>,
    pub seats: Vec<i64>,
    pub unit_price_cents: i64,
    pub amount_cents: i64,
    pub key: Option<String>,
    pub status: String,
    pub dirty: bool,
}

impl Order {
    /// Whether the order holds seats.
    pub(crate) fn live(&self) -> bool {
        matches!(self.status.as_str(), "unpaid" | "paid" | "refunding")
    }

    /// Whether the order was paid.
    pub(crate) fn was_paid(&self) -> bool {
        matches!(self.status.as_str(), "paid" | "refunding" | "refunded")
    }

    /// Whether the order has ended or is paid.
    pub(crate) fn is_final(&self) -> bool {
        matches!(
            self.status.as_str(),
            "paid" | "refunded" | "cancelled" | "closed" | "rejected" | "void"
        )
    }

    /// Whether its amount is price times seats. A fence has no amount.
    pub(crate) fn costs_its_seats(&self) -> bool {
        !self.was_stored() || self.amount_cents == self.unit_price_cents * self.seats.len() as i64
    }

    /// Whether the order was stored, neither fenced nor rejected.
    pub(crate) fn was_stored(&self) -> bool {
        !matches!(self.status.as_str(), "void" | "rejected")
    }
}

/// A row of `order_seats`.
#[derive(Debug, Clone)]
pub(crate) struct SeatRow {
    pub program: String,
    pub seat: i64,
    pub order: String,
}

/// A row of `payments`.
#[derive(Debug, Clone)]
pub(crate) struct Payment {
    pub reference: String,
    /// The order that it is for; an operator may have assigned it to this one.
    pub order: String,
    /// The order that the provider named.
    pub reported: String,
    pub amount_cents: i64,
    pub status: String,
    /// What refunds claim of the amount.
    pub claimed_cents: i64,
    /// What of that is refunded.
    pub refunded_cents: i64,
    /// An operator returned it, and recorded that.
    pub by_operator: bool,
    /// It pays its order, or did until it was refunded.
    pub pays: bool,
}

/// A payment as the provider knows it: reference, order, amount in cents.
pub(crate) type Known<'a> = (&'a str, &'a str, i64);

impl Payment {
    pub(crate) fn known(&self) -> Known<'_> {
        (&self.reference, &self.reported, self.amount_cents)
    }
}

/// A row of `refunds`.
#[derive(Debug, Clone)]
pub(crate) struct Refund {
    pub id: String,
    /// Reference, reported order and amount of its payment.
    pub payment: (String, String, i64),
    pub amount_cents: i64,
    pub state: String,
    /// An operator returned the money, and recorded that.
    pub by_operator: bool,
}

impl Refund {
    /// The payment that it returns.
    pub(crate) fn known(&self) -> Known<'_> {
        let (reference, order, amount) = &self.payment;
        (reference, order, *amount)
    }
}

/// A parked message.
#[derive(Debug, Clone)]
pub(crate) struct Parked {
    pub place: String,
    pub reason: String,
}

/// All tables.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    pub programs: Vec<Program>,
    pub orders: BTreeMap<String, Order>,
    pub seats: Vec<SeatRow>,
    pub payments: Vec<Payment>,
    pub refunds: Vec<Refund>,
    pub parked: Vec<Parked>,
    /// Seats that are not for sale, by program.
    pub blocked: BTreeSet<(String, i64)>,
    /// Committed orders by which the gate is not settled.
    pub unsettled: BTreeSet<String>,
    /// Orders that have ended, were compared while they were read, and are not kept.
    pub ended: usize,
}

impl Tables {
    pub(crate) fn live(&self) -> impl Iterator<Item = &Order> {
        self.orders.values().filter(|o| o.live())
    }

    /// Number of orders that were read.
    pub(crate) fn stored_orders(&self) -> usize {
        self.orders.len() + self.ended
    }

    /// The payments as the provider knows them: by reference, reported order and amount. Several may
    /// share a reference.
    pub(crate) fn known_payments(&self) -> BTreeMap<Known<'_>, &Payment> {
        self.payments.iter().map(|p| (p.known(), p)).collect()
    }

    pub(crate) fn order_keys(&self) -> BTreeSet<&str> {
        self.orders.keys().map(String::as_str).collect()
    }
}
