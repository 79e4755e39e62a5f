//! An order that has neither a row nor a reservation.
//!
//! It does not exist, or the gate lost its reservation and order-create has not stored it yet. Only
//! an open gate rules out the second case: a filled gate opens after every earlier order has a row.
//! An order number names its shard but not its program, so every program of the shard must be open.

use shared::gate::{InstallState, ProgramRef};
use shared::message::OrderNumber;
use shared::store::OrderRow;

use super::number::missing;
use crate::app::App;
use crate::http::Problem;
use crate::rebuild;

/// Reads the order's row once all gates of its shard are open, and resumes the filling of those
/// that are not, as far as one request may. 404 if the order does not exist; 503 while that is
/// unknown.
pub(super) async fn find(app: &App, number: OrderNumber) -> Result<OrderRow, Problem> {
    let shard = number.shard();
    for id in app.store.programs_of_shard(shard).await? {
        if app.gate.install_state(ProgramRef { id, shard }).await? != InstallState::Open
            && let Some(program) = app.store.program(id).await?
        {
            rebuild::open(app, &program).await?;
        }
    }
    let row = app.store.order(number).await?;
    row.ok_or_else(|| missing(number))
}
