//! What an order counts towards its buyer's limit.

use anyhow::Result;
use shared::gate::{ProgramRef, StoredTickets};
use shared::message::{OrderNumber, UserId};
use shared::sale::Program;
use shared::steps::stored_tickets;

use super::Inspector;
use crate::plan::Action;

impl Inspector<'_> {
    pub(super) async fn tickets(
        &mut self,
        program: &Program,
        user: &UserId,
        order: OrderNumber,
    ) -> Result<()> {
        let at = ProgramRef::from(program);
        let seen = self.gate.tickets(at, &[(user, order)]).await?.pop();
        let seen = seen.flatten();
        let row = self.store.order(order).await?;
        let expected = match stored_tickets(program.id, user, row.as_ref()) {
            StoredTickets::Live(seats) => Some(seats.to_string()),
            StoredTickets::Ended => None,
            // Without a row, a reservation in flight counts.
            StoredTickets::NoRow => {
                let reservation = self.gate.reservation(order).await?;
                let its_own = reservation.filter(|r| r.user == *user && r.program == program.id);
                its_own.map(|r| r.seats.len().to_string())
            }
        };
        if seen == expected {
            return Ok(());
        }
        let shown = |count: Option<String>| count.unwrap_or_else(|| "nothing".to_owned());
        let (seen, expected) = (shown(seen), shown(expected));
        self.found.plan(
            "S7",
            format!("program {} buyer {user} order {order}", program.id),
            format!("it counts {expected} towards the limit instead of {seen}"),
            Action::Tickets {
                program: at,
                user: user.clone(),
                order,
            },
        );
        Ok(())
    }
}
