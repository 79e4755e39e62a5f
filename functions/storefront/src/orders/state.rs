//! How far an order has come when its request is answered.

use shared::message::{Nonce, OrderNumber, OrderRequested};
use shared::store::OrderRow;

use crate::app::App;
use crate::http::Problem;

/// State of a published order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderState {
    /// The broker has acknowledged it, and the gate has recorded that.
    Accepted(OrderRequested),
    /// It has a row in Postgres.
    Row(OrderRow),
}

/// Reads the row of an order that the gate reports as stored or ended.
pub(super) async fn stored(
    app: &App,
    order: OrderNumber,
    nonce: Nonce,
) -> Result<OrderState, Problem> {
    match app.store.order(order).await {
        Ok(Some(row)) if row.nonce == nonce => Ok(OrderState::Row(row)),
        Ok(_) => Err(Problem::unknown(order)),
        Err(error) => {
            tracing::error!(%order, %error, "cannot read the row of a stored order");
            Err(Problem::unknown(order))
        }
    }
}
