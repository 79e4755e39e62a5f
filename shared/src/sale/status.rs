//! The states of a stored order, and the only ways from one to another.
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

/// State of an order as Postgres holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// Stored; its seats are held until it is paid or its time is up.
    Unpaid,
    /// Paid in time.
    Paid,
    /// Money is on its way back; the seats are still held.
    Refunding,
    /// Money is back, seats are free.
    Refunded,
    /// Ended by the buyer.
    Cancelled,
    /// Ended by its time.
    Closed,
    /// Never came to be: a seat belongs to another order, or the request is another order already.
    Rejected,
    /// Fenced: may never be created.
    Void,
}

/// A text that names no status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no status of an order; one of unpaid, paid, refunding, refunded, cancelled, closed, rejected, void"
)]
pub struct UnknownStatus(pub String);

impl Status {
    /// All of them.
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

    /// Whether a new row may begin in this state.
    pub const fn may_begin(self) -> bool {
        matches!(self, Self::Unpaid | Self::Rejected | Self::Void)
    }

    /// Whether an order in this state may go to `next`. Staying is no change and not allowed here.
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Unpaid, Self::Paid | Self::Cancelled | Self::Closed)
                | (Self::Paid, Self::Refunding)
                | (Self::Refunding, Self::Refunded)
        )
    }

    /// Whether nothing can follow.
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
