//! Confirming a new order, and what the script takes for granted.

use model::gate::{Owner, Resv, ResvState};
use shared::gate::NewOrder;

use super::plain::{LiveRow, Model, message};
use crate::environment::TestEnvironment;

/// Confirms an order as stored with the content of its reservation. Postgres has one row of a
/// number, for ever: an order whose number another one has stored is not created.
pub(super) async fn confirm(environment: &TestEnvironment, model: &mut Model, order: Owner) {
    let of_another = |(number, nonce): &Owner| *number == order.0 && *nonce != order.1;
    if model.stored.iter().any(of_another) {
        return;
    }
    let Some(resv) = model.gate.reservation(order).cloned() else {
        return;
    };
    let held = Resv {
        state: ResvState::Held,
        ..resv.clone()
    };
    let request = serde_json::from_str(&message(order.0, &held)).expect("a message");
    let new = NewOrder {
        request: &request,
        due_in_ms: 900_000,
    };
    let confirms = model.gate.confirm(order);
    let found = environment.gate.confirm_all(&[new]).await;
    assert!(found.error.is_none(), "{found:?}");
    assert_eq!(found.differing.is_empty(), confirms, "{resv:?}");
    if !confirms {
        return;
    }
    // The script does not read these.
    let gate = &model.gate;
    let counted = gate.tickets.get(&(resv.user, order.0));
    assert_eq!(counted, Some(&(resv.seats.len() as u32)), "tickets");
    assert_eq!(gate.entries.get(&order.0), Some(&order.1), "timeout");
    assert_ne!(gate.tombs.get(&order.0), Some(&order.1), "tombstone");
    model.store(LiveRow {
        owner: order,
        user: resv.user,
        category: resv.category,
        seats: resv.seats,
        due: true,
    });
}
