//! Value types: identities, money, seats, versions. Constructors refuse invalid values.

#[macro_use]
mod macros;

mod identity;
mod numbers;
mod parsed;
mod text;

pub(crate) use macros::{as_string, checked_json, word_value};
#[cfg(feature = "postgres")]
pub(crate) use macros::{from_digits, number_values};
pub(crate) use parsed::Parsed;

pub use identity::{BodyHash, CallId, Nonce, OrderNumber, ProgramId, Shard, TraceId};
pub use numbers::{AdmissionRate, CategoryNo, Cents, ProgramVersion, SeatIndex};
pub use text::{CallClient, CallInstance, CallMethod, CallRoute, CallUrl, IdempotencyKey, UserId};

/// A value out of bounds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {rule}")]
pub struct BadValue {
    /// The value, e.g. `order number`.
    pub what: &'static str,
    /// What is allowed.
    pub rule: &'static str,
}

const fn bad<T>(what: &'static str, rule: &'static str) -> Result<T, BadValue> {
    Err(BadValue { what, rule })
}

/// Maximum seats of one order.
pub const MAX_SEATS_PER_ORDER: usize = 20;
