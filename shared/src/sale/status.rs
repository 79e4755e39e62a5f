//! The states of a stored order and their transitions.
//!
//! ```text
//! (nothing) -> unpaid -> paid -> refunding -> refunded
//!           |         |-> cancelled
//!           |         '-> closed
//!           |-> rejected
//!           '-> void
//! ```

use crate::message::word_value;

word_value! {
    /// State of a stored order.
    Status, "status of an order",
    "unpaid, paid, refunding, refunded, cancelled, closed, rejected or void";

    /// Its seats are held until it is paid or its time to pay is over.
    Unpaid = "unpaid",
    /// Paid in time.
    Paid = "paid",
    /// The refund is in progress. The seats are still held.
    Refunding = "refunding",
    /// Refunded. The seats are free.
    Refunded = "refunded",
    /// Cancelled by the buyer.
    Cancelled = "cancelled",
    /// Its time to pay ended.
    Closed = "closed",
    /// Refused: a seat belongs to another order, or the request already is another order.
    Rejected = "rejected",
    /// Fenced: never to be stored.
    Void = "void",
}

impl Status {
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
