//! What an order counts towards its buyer's limit, by its row. Pure.

use crate::gate::{StoredTickets, TicketCount};
use crate::message::{OrderNumber, ProgramId, UserId};
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

/// The count of an order towards a buyer's limit of a program, if it differs from what the row
/// says. `order` as the gate stores it; `seen`: the count that was read, `None` for none; `row` as
/// read after that.
///
/// A reservation that is not stored yet has no row: the script that repairs counts skips it.
pub fn wrong_count(
    program: ProgramId,
    user: &UserId,
    order: &str,
    seen: Option<&str>,
    row: Option<&OrderRow>,
) -> Option<TicketCount> {
    let stored = match row {
        None if order.parse::<OrderNumber>().is_err() => StoredTickets::Ended,
        row => stored_tickets(program, user, row),
    };
    let count = TicketCount {
        order: order.to_owned(),
        seen: seen.map(str::to_owned),
        stored,
    };
    (!count.is_correct()).then_some(count)
}
