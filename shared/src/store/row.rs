//! A row of `orders`, as every statement returns it.

use super::columns::from_row;
use crate::message::{
    CategoryNo, Cents, IdempotencyKey, Nonce, OrderNumber, ProgramId, SeatIndex, UserId,
};
use crate::sale::Status;

/// A stored order. Optional fields are missing in a void fence only, unless stated otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderRow {
    /// Identity.
    pub number: OrderNumber,
    /// Distinguishes two orders of the same number.
    pub nonce: Nonce,
    /// The buyer.
    pub user: Option<UserId>,
    /// The program.
    pub program: Option<ProgramId>,
    /// The category of all its seats.
    pub category: Option<CategoryNo>,
    /// Seats, ascending. The row keeps them after they are freed. Empty in a fence without known
    /// seats.
    pub seats: Vec<SeatIndex>,
    /// Price of one ticket.
    pub unit_price: Option<Cents>,
    /// Price of the order.
    pub amount: Option<Cents>,
    /// The client's key. Optional in every order.
    pub idempotency_key: Option<IdempotencyKey>,
    /// Its state.
    pub status: Status,
    /// Why the order ended, if the state does not say so: `seats_taken`, `duplicate`, ...
    pub reason: Option<String>,
    /// For a rejected duplicate: the order that the request had created before.
    pub duplicate_of: Option<OrderNumber>,
    /// The order can be paid at least until then, ms since 1970 by the clock of Postgres.
    pub pay_by_ms: Option<i64>,
    /// `pay_by` minus the clock of Postgres when the row was read, ms. Negative if it has passed.
    pub remaining_ms: Option<i64>,
    /// Raised by every change. `clear_dirty` compares it.
    pub version: i64,
    /// When it was stored, milliseconds since 1970.
    pub created_at_ms: i64,
    /// W3C traceparent of the request or of its publish. Optional in every order.
    pub trace: Option<String>,
}

from_row!(OrderRow {
    number, nonce, user = "user_id", program, category, seats, unit_price = "unit_price_cents",
    amount = "amount_cents", idempotency_key, status, reason, duplicate_of, pay_by_ms,
    remaining_ms, version, created_at_ms, trace,
});
