//! An order that has neither a row nor a reservation.
//!
//! It does not exist, or the gate lost its reservation and order-create has not stored it yet. Only gates that are open tell which: a
//! filling opens one after everything accepted before has a row. An order's number names its shard and not its program, so every
//! program of the shard must be open.

use shared::gate::{InstallState, ProgramRef};
use shared::message::OrderNumber;
use shared::store::OrderRow;

use super::lookup::missing;
use crate::http::Problem;
use crate::rebuild::{self, Progress};
use crate::storefront::Storefront;

/// The order's row, if it has one by now. 404 if it does not exist; 503 while that is not known. Continues the filling of a gate that is
/// not open, as far as one request may.
pub(super) async fn find(shop: &Storefront, number: OrderNumber) -> Result<OrderRow, Problem> {
    let shard = number.shard();
    for id in shop.store.programs_of_shard(shard).await? {
        if shop.gate.install_state(ProgramRef { id, shard }).await? == InstallState::Open {
            continue;
        }
        let Some(program) = shop.store.program(id).await? else {
            continue;
        };
        if rebuild::carry_on(shop, &program).await? == Progress::Loading {
            return Err(Problem::loading());
        }
    }
    shop.store
        .order(number)
        .await?
        .ok_or_else(|| missing(number))
}
