//! The states of a stored order and their transitions.
//!
//! ```text
//! (nothing) -> unpaid -> paid -> refunding -> refunded
//!           |         |-> cancelled
//!           |         '-> closed
//!           |-> rejected
//!           '-> void
//! ```

use std::fmt;
use std::str::FromStr;

/// State of a stored order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Its seats are held until it is paid or its time to pay is over.
    Unpaid,
    /// Paid in time.
    Paid,
    /// The refund is in progress. The seats are still held.
    Refunding,
    /// Refunded. The seats are free.
    Refunded,
    /// Cancelled by the buyer.
    Cancelled,
    /// Its time to pay ended.
    Closed,
    /// Refused: a seat belongs to another order, or the request already is another order.
    Rejected,
    /// Fenced: never to be stored.
    Void,
}

/// A text that is not a status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a status of an order; one of unpaid, paid, refunding, refunded, cancelled, \
     closed, rejected, void"
)]
pub struct UnknownStatus(pub String);

impl Status {
    /// All states.
    pub const ALL: [Self; 8] = [
        Self::Unpaid,
        Self::Paid,
        Self::Refunding,
        Self::Refunded,
        Self::Cancelled,
        Self::Closed,
        Self::Rejected,
        Self::Void,
    ];

    /// As Postgres and the API write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unpaid => "unpaid",
            Self::Paid => "paid",
            Self::Refunding => "refunding",
            Self::Refunded => "refunded",
            Self::Cancelled => "cancelled",
            Self::Closed => "closed",
            Self::Rejected => "rejected",
            Self::Void => "void",
        }
    }

    /// Whether an order in this state holds its seats.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Unpaid | Self::Paid | Self::Refunding)
    }

    /// Whether a new row may have this state.
    pub const fn may_begin(self) -> bool {
        matches!(self, Self::Unpaid | Self::Rejected | Self::Void)
    }

    /// Whether an order may change from this state to `next`, which must differ.
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Unpaid, Self::Paid | Self::Cancelled | Self::Closed)
                | (Self::Paid, Self::Refunding)
                | (Self::Refunding, Self::Refunded)
        )
    }

    /// Whether no other state can follow.
    pub fn is_final(self) -> bool {
        !Self::ALL.into_iter().any(|next| self.may_become(next))
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Status {
    type Err = UnknownStatus;

    fn from_str(s: &str) -> Result<Self, UnknownStatus> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == s)
            .ok_or_else(|| UnknownStatus(s.to_owned()))
    }
}
