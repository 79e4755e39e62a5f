//! An order by its row.

use anyhow::Result;
use shared::gate::{OrderAt, ProgramRef, ReservationState};
use shared::message::{OrderNumber, SeatIndex};
use shared::store::OrderRow;

use super::{Inspector, list};
use crate::plan::Action;

const TWO_ORDERS: &str = "a seat of two live orders: decide which one keeps it, and refund the \
    other one (ticket-audit explain S1)";
const NO_ROW: &str = "order_seats lacks a seat of a live order: correct the rows first \
    (ticket-audit explain S3)";

impl Inspector<'_> {
    /// An order that has a row is compared with it; one that has only a reservation, with nothing.
    pub(super) async fn order(&mut self, order: OrderNumber) -> Result<()> {
        let Some(row) = self.store.order(order).await? else {
            let Some(reservation) = self.gate.reservation(order).await? else {
                let found = format!("order {order} has neither a row nor a reservation");
                let why = "name its program (--program): all seats are compared then";
                self.found.refuse("S5", found, why);
                return Ok(());
            };
            let Some(program) = self.program(reservation.program).await? else {
                return Ok(());
            };
            let at = OrderAt {
                order,
                nonce: reservation.nonce,
                program: ProgramRef::from(&program),
            };
            return self.holder(&program, at).await;
        };
        let unsettled = self.store.unsettled_among(&[order]).await?;
        if !unsettled.is_empty() {
            let change = format!("the gate is settled by the row ({})", row.status);
            let action = Action::Settle(order);
            self.found
                .plan("L4", format!("order {order}"), change, action);
        }
        let Some(program) = row.program else {
            return Ok(());
        };
        let Some(program) = self.program(program).await? else {
            return Ok(());
        };
        if !row.status.is_live() {
            let at = OrderAt {
                order,
                nonce: row.nonce,
                program: ProgramRef::from(&program),
            };
            return self.holder(&program, at).await;
        }
        let at = ProgramRef::from(&program);
        let owners = self.gate.owners(at, &row.seats).await?;
        let lacks = row.seats.iter().zip(owners);
        let lacks: Vec<SeatIndex> = lacks
            .filter(|(_, owner)| *owner != Some((order, row.nonce)))
            .map(|(seat, _)| *seat)
            .collect();
        if !lacks.is_empty() {
            if let Some(why) = self.conflict(&row).await? {
                let found = format!("order {order} lacks its seats {}", list(&lacks));
                self.found.refuse("S6", found, why);
                return Ok(());
            }
            let change = format!("it gets its seats {} again", list(&lacks));
            let action = Action::Settle(order);
            self.found
                .plan("S6", format!("order {order}"), change, action);
        }
        let reservation = self.gate.reservation(order).await?;
        let reservation = reservation.filter(|r| r.nonce == row.nonce);
        if reservation.is_some_and(|r| r.state != ReservationState::Stored) {
            let change = "its reservation becomes stored".to_owned();
            let action = Action::Settle(order);
            self.found
                .plan("L3", format!("order {order}"), change, action);
        }
        if let Some(user) = row.user.clone() {
            self.tickets(&program, &user, order).await?;
        }
        Ok(())
    }

    /// Why Postgres itself does not say that the order has its seats.
    async fn conflict(&self, row: &OrderRow) -> Result<Option<&'static str>> {
        let (Some(program), Some(first), Some(last)) =
            (row.program, row.seats.first(), row.seats.last())
        else {
            return Ok(None);
        };
        let holders = self.store.holders(program, *first, *last).await?;
        let mut held_by_it = false;
        for other in self.rows(&holders).await? {
            held_by_it |= other.number == row.number;
            let claims = other.seats.iter().any(|seat| row.seats.contains(seat));
            if other.number != row.number && other.status.is_live() && claims {
                return Ok(Some(TWO_ORDERS));
            }
        }
        Ok((!held_by_it).then_some(NO_ROW))
    }
}
