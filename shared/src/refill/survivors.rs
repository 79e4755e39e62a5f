//! Settles the reservations that survived in the gate, which may have lost its latest changes, if
//! their rows have ended. Otherwise a repeated request would find a reservation that Postgres has
//! made void, and its seats would stay taken.
//!
//! A reservation without a row stays: order-create may be about to store it, and its timeout entry
//! ends it. One with a live row is merged later.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::position::FillPosition;
use super::{GateFilling, RefillError, Step};
use crate::gate::{OrderAt, Settled};
use crate::message::{CategoryNo, MAX_SEATS_PER_ORDER, OrderNumber, SeatIndex};
use crate::steps::{Owner, settle_of_survivor};
use crate::store::OrderRow;

impl GateFilling<'_> {
    /// Settles one page of the owners of seats. Before any order is merged these are the surviving
    /// reservations, and orders whose old rows were settled since the filling began.
    pub(super) async fn settle_survivors(&self, cursor: u64) -> Result<Step, RefillError> {
        let page = self.gate.taken(self.at, cursor).await?;
        let mut kept: BTreeMap<Owner, BTreeSet<SeatIndex>> = BTreeMap::new();
        for taken in page.taken {
            let owner = (taken.order, taken.nonce);
            kept.entry(owner).or_default().insert(taken.seat);
        }
        let numbers: Vec<OrderNumber> = kept.keys().map(|(order, _)| *order).collect();
        let rows = if numbers.is_empty() {
            Vec::new()
        } else {
            self.during(self.store.orders(&numbers)).await?
        };
        let rows: HashMap<OrderNumber, OrderRow> =
            rows.into_iter().map(|row| (row.number, row)).collect();
        let ended = kept.into_iter().filter_map(|((order, nonce), seats)| {
            let at = OrderAt {
                order,
                nonce,
                program: self.at,
            };
            settle_of_survivor(at, rows.get(&order)?, self.seats_of_order(seats))
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

    /// Owned seats with their category. An order has seats of one category, and so many at most;
    /// further ones, which only damaged data has, are left to the audit.
    fn seats_of_order(&self, seats: BTreeSet<SeatIndex>) -> Option<(CategoryNo, Vec<SeatIndex>)> {
        let first = *seats.first()?;
        let mut categories = self.program.categories.iter();
        let category = categories.find(|category| category.layout.place(first).is_some())?;
        let seats = seats.into_iter();
        let seats = seats.filter(|seat| category.layout.place(*seat).is_some());
        Some((category.no, seats.take(MAX_SEATS_PER_ORDER).collect()))
    }
}
