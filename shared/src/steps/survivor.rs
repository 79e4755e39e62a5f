//! Rebuild: what becomes of a reservation that survived in a gate without its latest changes. Pure.

use crate::gate::{OrderAt, Settle};
use crate::reconcile::settle_of;
use crate::store::OrderRow;

/// The settle that releases a reservation whose row has ended; `None` for a live one. `row` is the
/// row of the reservation's number, whatever its nonce.
pub fn settle_of_survivor(at: OrderAt, row: &OrderRow) -> Option<Settle> {
    let gone = Settle::gone(at);
    if row.nonce != at.nonce {
        // The number belongs to another order, so this reservation can never be stored.
        return Some(gone);
    }
    // Without seats, so that the script frees those of the reservation, whatever the row lists.
    (!row.status.is_live()).then(|| Settle {
        at,
        seats: None,
        ..settle_of(row).unwrap_or(gone)
    })
}
