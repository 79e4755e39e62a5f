//! Rebuild: what becomes of a reservation that survived in a gate without its latest changes. Pure.

use crate::gate::{OrderAt, Settle};
use crate::message::{CategoryNo, SeatIndex};
use crate::reconcile::settle_of;
use crate::store::OrderRow;

/// The settle that frees seats of an order whose row has ended; `None` for a live one. `row` is the
/// row of the order's number, whatever its nonce; `owned` the seats that the gate says the order
/// owns, at most as many as an order has, or `None` for those of its reservation.
///
/// The seats come from the gate, since neither the row nor a reservation needs to have them: a bare
/// fence lists none, and an old row that is settled during the filling takes seats without a
/// reservation.
pub fn settle_of_survivor(
    at: OrderAt,
    row: &OrderRow,
    owned: Option<(CategoryNo, Vec<SeatIndex>)>,
) -> Option<Settle> {
    let settle = if row.nonce != at.nonce {
        // The number belongs to another order, so this one can never be stored.
        None
    } else if row.status.is_live() {
        return None;
    } else {
        settle_of(row)
    };
    Some(Settle {
        at,
        seats: owned,
        ..settle.unwrap_or_else(|| Settle::gone(at))
    })
}
