//! A model of the order protocol, explored exhaustively.
//!
//! [`System`] has the effects of storefront, order-create and timeout-closer, each a script of the
//! gate, a statement of Postgres or a publish; processes that may be killed between any two of
//! them; and the losses of Redis. Every interleaving within the bounds of a [`Scenario`] is tried.
//!
//! What a process does after an effect is decided by the rules of `shared` (`steps`, `reconcile`,
//! `sale`): a rule that is changed there changes the model. What a script or a statement does is
//! stated in [`gate`] and [`database`], and compared with the real servers by tests of `shared`.
//!
//! Left out: batches of more than one record, records that the topic loses, refunds of a part of a
//! payment or refused by the provider, partial seats of an order, times longer than an order's time
//! to pay.

pub mod action;
pub mod database;
pub mod explore;
pub mod gate;
pub mod machine;
pub mod programs;
pub mod protections;
pub mod refunds;
pub mod scenario;
pub mod state;
pub mod tickets;

mod enabled;
mod properties;
mod real;
mod steps;

pub use explore::{Exploration, Violation, explore};
pub use machine::System;
pub use protections::{Kept, Protection};
pub use scenario::Scenario;
