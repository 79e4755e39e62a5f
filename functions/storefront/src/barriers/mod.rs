//! Barriers of the orders' topic: records that request nothing and mark a position.
//!
//! Once order-create has passed a barrier, it has handled every record before it. [`OwnBarriers`]
//! holds those that this process appended while it filled a gate ([`crate::rebuild`]);
//! [`append_requested`] appends those that the timeout-closer requests.

mod own;
mod requested;

pub use own::OwnBarriers;
pub use requested::{BarrierError, BarrierPoll, append_requested};
