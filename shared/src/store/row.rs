//! A row of `orders`, as every statement returns it.

use sqlx::Row;
use sqlx::postgres::PgRow;

use super::StoreError;
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

/// Turns a stored value that violates its bounds into an error that names it.
pub(super) fn bounded<T, E: std::fmt::Display>(value: Result<T, E>) -> Result<T, StoreError> {
    value.map_err(|e| StoreError::corrupt(format!("a stored value is out of bounds: {e}")))
}

impl OrderRow {
    /// Reads the columns that every statement returns for an order.
    pub(super) fn read(row: &PgRow) -> Result<Self, StoreError> {
        let seats: Vec<i32> = row.try_get("seats")?;
        let number = |column: &str| row.try_get::<Option<i64>, _>(column);
        let text = |column: &str| row.try_get::<Option<String>, _>(column);
        Ok(Self {
            number: bounded(OrderNumber::new(row.try_get("number")?))?,
            nonce: nonce(row.try_get("nonce")?)?,
            user: bounded(text("user_id")?.map(UserId::new).transpose())?,
            program: bounded(number("program")?.map(ProgramId::new).transpose())?,
            category: bounded(
                row.try_get::<Option<i16>, _>("category")?
                    .map(|n| CategoryNo::new(n as u16))
                    .transpose(),
            )?,
            seats: bounded(
                seats
                    .into_iter()
                    .map(|seat| SeatIndex::new(seat as u32))
                    .collect(),
            )?,
            unit_price: bounded(number("unit_price_cents")?.map(Cents::new).transpose())?,
            amount: bounded(number("amount_cents")?.map(Cents::new).transpose())?,
            idempotency_key: bounded(
                text("idempotency_key")?
                    .map(IdempotencyKey::new)
                    .transpose(),
            )?,
            status: bounded(row.try_get::<&str, _>("status")?.parse())?,
            reason: text("reason")?,
            duplicate_of: bounded(number("duplicate_of")?.map(OrderNumber::new).transpose())?,
            pay_by_ms: number("pay_by_ms")?,
            remaining_ms: number("remaining_ms")?,
            version: row.try_get("version")?,
            created_at_ms: row.try_get("created_at_ms")?,
            trace: text("trace")?,
        })
    }

    pub(super) fn read_all(rows: &[PgRow]) -> Result<Vec<Self>, StoreError> {
        rows.iter().map(Self::read).collect()
    }
}

/// Reads a nonce of 16 bytes.
pub(super) fn nonce(bytes: &[u8]) -> Result<Nonce, StoreError> {
    bytes
        .try_into()
        .map(Nonce::new)
        .map_err(|_| StoreError::corrupt("a stored nonce is not 16 bytes"))
}
