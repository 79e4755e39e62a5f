//! What an order holds in the gate, by number and nonce: seats and a reservation.

use anyhow::Result;
use shared::gate::{OrderAt, ReservationState};
use shared::message::SeatIndex;
use shared::sale::Program;

use super::{Inspector, list};
use crate::plan::Action;

const WENT_BACK: &str = "the gate says that the order was stored, and PostgreSQL has no such row: \
    it was restored from an older backup. Restore the row, or refund its buyer, then fence it";

const NO_SEAT: &str = "order_seats has a seat of the order that its row does not list: correct the \
    rows first (ticket-audit explain S3)";

impl Inspector<'_> {
    pub(super) async fn holder(&mut self, program: &Program, at: OrderAt) -> Result<()> {
        let OrderAt { order, nonce, .. } = at;
        let owned = self.owned(at).await?;
        let reservation = self.gate.reservation(order).await?;
        let reservation = reservation.filter(|r| r.nonce == nonce);
        let subject = format!("order {order}");
        match self.store.order(order).await? {
            Some(row) if row.nonce == nonce && row.status.is_live() => {
                let listed =
                    |seat: &SeatIndex| row.program == Some(program.id) && row.seats.contains(seat);
                let mut stray: Vec<SeatIndex> = owned.into_iter().filter(|s| !listed(s)).collect();
                // A seat row of the order: PostgreSQL itself is contradictory.
                if let (Some(first), Some(last)) = (stray.first(), stray.last()) {
                    let holders = self.store.holders(program.id, *first, *last).await?;
                    if holders.contains(&order) {
                        let found = format!("order {order} holds seats {}", list(&stray));
                        self.found.refuse("S5", found, NO_SEAT);
                        stray.clear();
                    }
                }
                let change = format!("it is freed: order {order} does not have it");
                self.plan_chunks(program, &stray, "S5", &subject, &change);
                if reservation.is_some_and(|r| r.state != ReservationState::Stored) {
                    let change = "its reservation becomes stored".to_owned();
                    let action = Action::Settle(order);
                    self.found.plan("L3", subject, change, action);
                }
            }
            Some(row) => {
                let state = if row.nonce == nonce {
                    row.status.to_string()
                } else {
                    "void: its number belongs to another order".to_owned()
                };
                let change = format!("it is freed: order {order} is {state}");
                self.plan_chunks(program, &owned, "S5", &subject, &change);
                if reservation.is_some() {
                    let change = format!("its reservation is removed: it is {state}");
                    let action = if row.nonce == nonce {
                        Action::Settle(order)
                    } else {
                        Action::Release(at)
                    };
                    self.found.plan("L3", subject, change, action);
                }
            }
            None if reservation
                .as_ref()
                .is_some_and(|r| r.state == ReservationState::Stored) =>
            {
                let found = format!("order {order} holds seats {}", list(&owned));
                self.found.refuse("S5", found, WENT_BACK);
            }
            None => {
                self.without_row(program, at, &owned, reservation.is_some())
                    .await?;
            }
        }
        Ok(())
    }

    /// An order whose entry exists is in flight: timeout-closer ends it.
    async fn without_row(
        &mut self,
        program: &Program,
        at: OrderAt,
        owned: &[SeatIndex],
        is_reserved: bool,
    ) -> Result<()> {
        let (order, shard) = (at.order, at.program.shard);
        let ids = [order.to_string()];
        let exists = self.gate.timeouts().exist(shard, &ids).await?;
        if exists.contains(&true) || (owned.is_empty() && !is_reserved) {
            return Ok(());
        }
        let subject = format!("order {order}");
        if is_reserved {
            let change = "it gets a timeout entry, and timeout-closer decides about it".to_owned();
            self.found.plan("L3", subject, change, Action::Rearm(at));
            return Ok(());
        }
        let change = "it is fenced: it has neither a row nor a reservation".to_owned();
        let fence = Action::Fence(at);
        self.found.plan("S5", subject.clone(), change, fence);
        let change = format!("it is freed after the fence of order {order}");
        self.plan_chunks(program, owned, "S5", &subject, &change);
        Ok(())
    }
}
