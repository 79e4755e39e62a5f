//! Orders: create, look up, cancel.
//!
//! A new order passes through [`create`] (selection and price), [`reserve`] (the gate holds its
//! seats), [`publish`] (the broker acknowledges it, or it is fenced) and, with `?wait=`, `waiting`;
//! `view` is the answer.

mod absent;
mod cancel;
mod create;
mod lookup;
mod number;
pub mod publish;
pub mod reserve;
mod state;
mod view;
mod waiting;

pub use cancel::cancel;
pub use create::create;
pub use lookup::{get, list};
pub use state::OrderState;
