//! `OrderRequested`: seats are held for a buyer, and the order is to be stored.

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::values::{
    BadValue, BodyHash, CategoryNo, Cents, IdempotencyKey, MAX_SEATS_PER_ORDER, Nonce, OrderNumber,
    ProgramId, SeatIndex, UserId, checked_json,
};

/// Sent by storefront to `{env}-order-create`, keyed by the order number. Schema version 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(remote = "Self")]
#[cfg_attr(test, schemars(!remote))]
pub struct OrderRequested {
    /// Schema version: 1.
    #[cfg_attr(test, schemars(range(min = 1, max = 1)))]
    pub v: u16,
    /// Identity of the order.
    pub order: OrderNumber,
    /// Distinguishes two orders of the same number.
    pub nonce: Nonce,
    /// The buyer.
    pub user: UserId,
    /// The program.
    pub program: ProgramId,
    /// The ticket category of all seats.
    pub category: CategoryNo,
    /// Seats held: 1 to 20, ascending, no repeats.
    #[cfg_attr(test, schemars(length(min = 1, max = 20), extend("uniqueItems" = true)))]
    pub seats: Vec<SeatIndex>,
    /// Price of one ticket.
    pub unit_price_cents: Cents,
    /// Price of the order: the unit price times the number of seats.
    pub amount_cents: Cents,
    /// The client's key, if it sent one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<IdempotencyKey>,
    /// Hash of the request with this key. Stored with the order, for a gate that has lost its keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_hash: Option<BodyHash>,
    /// End of the promised time to pay, ms since 1970. Order-create may store a later time.
    #[cfg_attr(test, schemars(range(min = 0)))]
    pub pay_by_ms: i64,
    /// W3C traceparent of the request that made the order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(length(max = 128), regex(pattern = r"^[!-~]*$")))]
    pub trace: Option<String>,
}

/// Why a decoded message is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Another version than 1.
    #[error("version {0} is not supported; this program reads version 1")]
    Version(u16),
    /// Not 1 to 20 seats, ascending, no repeats.
    #[error("seats must be 1 to 20, ascending, without repeats")]
    Seats,
    /// The amount is not unit price times seats.
    #[error("the amount is not the unit price times the number of seats")]
    Amount,
    /// Negative time.
    #[error("pay_by_ms must not be negative")]
    PayBy,
    /// Trace text too long or with control characters.
    #[error("trace must be at most 128 visible ASCII characters")]
    Trace,
    /// A single value out of bounds.
    #[error(transparent)]
    Value(#[from] BadValue),
}

impl OrderRequested {
    /// Checks across fields. Decoding calls it; code that builds a message must call it too.
    pub fn check(&self) -> Result<(), Invalid> {
        if self.v != 1 {
            return Err(Invalid::Version(self.v));
        }
        let ascending = self.seats.windows(2).all(|w| w[0] < w[1]);
        if self.seats.is_empty() || self.seats.len() > MAX_SEATS_PER_ORDER || !ascending {
            return Err(Invalid::Seats);
        }
        if self.unit_price_cents.times(self.seats.len())? != self.amount_cents {
            return Err(Invalid::Amount);
        }
        if self.pay_by_ms < 0 {
            return Err(Invalid::PayBy);
        }
        let trace_ok = |t: &String| t.len() <= 128 && t.bytes().all(|b| b.is_ascii_graphic());
        if !self.trace.as_ref().is_none_or(trace_ok) {
            return Err(Invalid::Trace);
        }
        Ok(())
    }
}

checked_json!(OrderRequested);

#[cfg(test)]
#[path = "order_requested_tests.rs"]
mod tests;
