//! Store: how the gate is settled by what order-create has stored. Pure.

use crate::gate::{NewOrder, OrderAt, ProgramRef, Settle, SettleTo};
use crate::reconcile::settle_of;
use crate::store::{Decision, StoredOrder, StoredRow};

/// A created order whose time to pay is the promised one: the gate knows all of it, unless it has
/// lost the order. `None` for every other order, which [`settle_of_stored`] settles.
pub fn confirmable<'a>(order: &StoredOrder<'a>) -> Option<NewOrder<'a>> {
    match order.row {
        StoredRow::Requested { now_ms, pay_by_ms } if pay_by_ms == order.request.pay_by_ms => {
            Some(NewOrder {
                request: order.request,
                due_in_ms: u64::try_from(pay_by_ms.saturating_sub(now_ms)).unwrap_or(0),
            })
        }
        _ => None,
    }
}

/// The settle of a stored order. `None` if its row has no program.
pub fn settle_of_stored(order: &StoredOrder<'_>) -> Option<Settle> {
    let StoredOrder {
        request, decision, ..
    } = order;
    let row = order.row();
    // Other content under the row's own nonce: the live order itself must not be removed.
    if *decision != Decision::Conflict || row.nonce == request.nonce {
        return settle_of(&row);
    }
    // The number belongs to another order: only the reservation of this request is removed.
    Some(Settle {
        at: OrderAt {
            order: request.order,
            nonce: request.nonce,
            program: ProgramRef::from(*request),
        },
        user: Some(request.user.clone()),
        key: request.idempotency_key.clone(),
        seats: Some((request.category, request.seats.clone())),
        to: SettleTo::Gone { forget_key: true },
    })
}
