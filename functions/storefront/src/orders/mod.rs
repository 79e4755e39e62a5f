//! Orders: made, looked up, cancelled.
//!
//! A new order passes through [`create`] (what is wanted, and what it costs), [`reserve`] (the gate holds its seats) and [`publish`]
//! (the broker has it, or its end is made sure of). Only then is it answered, by [`view`].

mod absent;
mod cancel;
mod create;
mod lookup;
pub mod publish;
pub mod reserve;
mod view;
mod waiting;

pub use cancel::cancel;
pub use create::create;
pub use lookup::{get, mine};
use shared::reconcile::reconcile;
use shared::store::OrderRow;
pub use waiting::WaitSettings;

use crate::storefront::Storefront;

/// Tells the gate what a row says. A gate that is away costs nothing: the row stays dirty, and the sweep comes back to it.
pub async fn settle(shop: &Storefront, row: &OrderRow) {
    match reconcile(&shop.gate, &shop.store, std::slice::from_ref(row)).await {
        Ok(report) => {
            for (order, error) in &report.failed {
                tracing::warn!(%order, %error, "not settled yet");
            }
        }
        Err(error) => tracing::warn!(order = %row.number, %error, "not settled yet"),
    }
}
