//! Confirming a new order, and what the script takes for granted.

use shared::gate::{NewOrder, OrderAt};

use super::plain::{Model, Resv, message};
use crate::environment::TestEnvironment;

/// Confirms an order as stored with the content of its reservation. Postgres has one row of a
/// number, for ever: an order whose number another one has stored is not created.
pub(super) async fn confirm(environment: &TestEnvironment, model: &mut Model, at: OrderAt) {
    let owner = (at.order, at.nonce);
    let of_another = |(order, nonce): &(_, _)| *order == at.order && *nonce != at.nonce;
    if model.stored.iter().any(of_another) {
        return;
    }
    let Some(resv) = model.resvs.get_mut(&at.order) else {
        return;
    };
    if resv.nonce != at.nonce {
        return;
    }
    let held = Resv {
        state: "held",
        ..resv.clone()
    };
    let request = serde_json::from_str(&message(at.order, &held)).expect("a message");
    let new = NewOrder {
        request: &request,
        due_in_ms: 900_000,
    };
    let owns = resv
        .seats
        .iter()
        .all(|n| model.owners.get(n) == Some(&owner));
    let confirms = resv.state == "accepted" && owns;
    let found = environment.gate.confirm_all(&[new]).await;
    assert!(found.error.is_none(), "{found:?}");
    assert_eq!(found.differing.is_empty(), confirms, "{resv:?}");
    if !confirms {
        return;
    }
    resv.state = "stored";
    let (user, category, seats) = (resv.user, resv.category, resv.seats.clone());
    // The script does not read these.
    let counted = model.tickets.get(&(user, at.order));
    assert_eq!(counted, Some(&(seats.len() as u32)), "tickets");
    assert_eq!(model.entries.get(&at.order), Some(&at.nonce), "timeout");
    assert_ne!(model.tombs.get(&at.order), Some(&at.nonce), "tombstone");
    model.stored.insert(owner);
    model
        .rows
        .insert(at.order, (at.nonce, user, category, seats, true));
}
