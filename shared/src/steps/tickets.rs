//! What an order counts towards its buyer's limit, by its row. Pure.

use crate::gate::StoredTickets;
use crate::message::{ProgramId, UserId};
use crate::store::OrderRow;

/// The tickets of a buyer's order in a program. `row`: the row of its number, if there is one.
pub fn stored_tickets(program: ProgramId, user: &UserId, row: Option<&OrderRow>) -> StoredTickets {
    let Some(row) = row else {
        return StoredTickets::NoRow;
    };
    let is_its_own = row.program == Some(program) && row.user.as_ref() == Some(user);
    if is_its_own && row.status.is_live() {
        StoredTickets::Live(row.seats.len() as u32)
    } else {
        StoredTickets::Ended
    }
}
