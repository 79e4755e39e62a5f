//! Applies a row of Postgres to the gate.

use shared::reconcile::reconcile;
use shared::store::OrderRow;

use crate::app::App;

/// Settles the order's reservation by its row. If the gate is unavailable, the row stays dirty and
/// the sweep settles it later.
pub(crate) async fn settle(app: &App, row: &OrderRow) {
    match reconcile(&app.gate, &app.store, std::slice::from_ref(row)).await {
        Ok(report) => {
            for (order, error) in &report.failed {
                tracing::warn!(%order, %error, "cannot settle the order; the sweep tries again");
            }
        }
        Err(error) => {
            tracing::warn!(order = %row.number, %error, "cannot settle the order; the sweep tries \
                again");
        }
    }
}
