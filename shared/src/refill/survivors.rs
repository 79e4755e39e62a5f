//! Settles the reservations that survived in the gate, which may have lost its latest changes, if
//! their rows have ended. Otherwise a repeated request would find a reservation that Postgres has
//! made void, and its seats would stay taken.
//!
//! A reservation without a row stays: order-create may be about to store it, and its timeout entry
//! ends it. One with a live row is merged later.

use std::collections::{HashMap, HashSet};

use super::position::FillPosition;
use super::{GateFilling, RefillError, Step};
use crate::gate::{OrderAt, Settled};
use crate::message::{Nonce, OrderNumber};
use crate::steps::settle_of_survivor;
use crate::store::OrderRow;

impl GateFilling<'_> {
    /// Settles one page of the owners of seats. Before any order is merged these are exactly the
    /// surviving reservations.
    pub(super) async fn settle_survivors(&self, cursor: u64) -> Result<Step, RefillError> {
        let page = self.gate.taken(self.at, cursor).await?;
        let kept: HashSet<(OrderNumber, Nonce)> = page
            .taken
            .iter()
            .map(|taken| (taken.order, taken.nonce))
            .collect();
        let numbers: Vec<OrderNumber> = kept.iter().map(|(order, _)| *order).collect();
        let rows = if numbers.is_empty() {
            Vec::new()
        } else {
            self.during(self.store.orders(&numbers)).await?
        };
        let rows: HashMap<OrderNumber, OrderRow> =
            rows.into_iter().map(|row| (row.number, row)).collect();
        let ended = kept.iter().filter_map(|(order, nonce)| {
            let at = OrderAt {
                order: *order,
                nonce: *nonce,
                program: self.at,
            };
            rows.get(order).and_then(|row| settle_of_survivor(at, row))
        });
        let mut released = 0_u32;
        for settle in ended {
            if self.gate.settle(&settle).await? == Settled::NotInstalled {
                return Ok(Step::Stale);
            }
            released += 1;
        }
        if released > 0 {
            tracing::warn!(
                program = %self.program.id, orders = released,
                "the gate still held seats of ended orders; they are free now"
            );
        }
        Ok(Step::To(
            page.next
                .map_or(FillPosition::Seats(None), FillPosition::Kept),
        ))
    }
}
