//! The decisions of an order's steps: what a process does next, by what its last effect found.
//! Pure: the caller runs the effects (a script of the gate, a statement of the store, a publish).
//!
//! The functions call these, and so does the model of the protocol (`tests/model`), which explores
//! every interleaving of their effects. A decision that is changed here changes the model.
//!
//! | step | decisions |
//! |---|---|
//! | publish (storefront) | [`after_accept`], [`after_abandon`], [`after_fence`] |
//! | store (order-create) | [`confirmable`], [`settle_of_stored`] |
//! | close (timeout-closer) | [`after_claim`], [`RetryDelay`] |
//! | audit by the sweep | [`differences`], [`wrong_count`], [`stored_tickets`] |
//! | rebuild | [`settle_of_survivor`] |
//!
//! Every step ends with the settle of a row: [`crate::reconcile::settle_of`].

mod close;
mod create;
mod publish;
mod retry_delay;
mod seat_map;
mod survivor;
mod tickets;

pub use close::{CloseAction, Evidence, after_claim};
pub use create::{confirmable, settle_of_stored};
pub use publish::{
    AfterAbandon, AfterAccept, AfterFence, after_abandon, after_accept, after_fence,
};
pub use retry_delay::RetryDelay;
pub use seat_map::{Differences, Owner, differences};
pub use survivor::settle_of_survivor;
pub use tickets::{stored_tickets, wrong_count};
