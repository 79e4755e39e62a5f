//! Merges the orders that hold seats, by their first seats: merging neighbours together is fast.

use super::position::FillPosition;
use super::{GateFilling, LEASE_MS, RefillError, Step};
use crate::gate::{LiveOrder, Merged};
use crate::message::{OrderNumber, SeatIndex};
use crate::reconcile::reconcile;
use crate::sale::Status;
use crate::store::OrderRow;

/// Taken seats per page.
const PAGE: u32 = 2_000;

impl GateFilling<'_> {
    /// Merges one page.
    pub(super) async fn merge_seats(&self, after: Option<SeatIndex>) -> Result<Step, RefillError> {
        let page = self
            .during(self.store.live_orders(self.program.id, after, PAGE))
            .await?;
        let orders: Vec<LiveOrder> = page.orders.iter().filter_map(live).collect();
        if !orders.is_empty() {
            match self
                .gate
                .install_merge(self.at, self.loader, LEASE_MS, &orders)
                .await?
            {
                Merged::Stale => return Ok(Step::Stale),
                Merged::Done { displaced, outside } => {
                    if !outside.is_empty() {
                        let program = self.program.id;
                        tracing::error!(
                            alarm = "order_outside_map", %program, ?outside,
                            "stored orders have seats that the program lacks"
                        );
                    }
                    self.reconcile_displaced(
                        displaced.into_iter().map(|(order, _)| order).collect(),
                    )
                    .await?;
                }
            }
        }
        if !self.name(&page.named).await? {
            return Ok(Step::Stale);
        }
        Ok(Step::To(
            page.next.map_or(FillPosition::Keys(None), |last| {
                FillPosition::Seats(Some(last))
            }),
        ))
    }

    /// Settles orders that lost a seat to a stored order, before the position moves past them.
    async fn reconcile_displaced(&self, displaced: Vec<OrderNumber>) -> Result<(), RefillError> {
        if displaced.is_empty() {
            return Ok(());
        }
        tracing::warn!(
            program = %self.program.id, orders = displaced.len(),
            "reservations lost their seats to stored orders"
        );
        let rows = self.during(self.store.orders(&displaced)).await?;
        self.during(reconcile(self.gate, self.store, &rows)).await?;
        Ok(())
    }
}

/// `None` only for a fence, which is not live.
fn live(row: &OrderRow) -> Option<LiveOrder> {
    Some(LiveOrder {
        order: row.number,
        nonce: row.nonce,
        user: row.user.clone()?,
        category: row.category?,
        seats: row.seats.clone(),
        due_in_ms: (row.status == Status::Unpaid)
            .then(|| row.remaining_ms.unwrap_or(0).max(0) as u64),
    })
}
