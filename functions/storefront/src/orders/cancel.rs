//! `POST /orders/{number}/cancel`

use shared::message::{OrderNumber, OrderRequested, UserId};
use shared::sale::Status;
use shared::store::{Cancel, Fence, Fenced, OrderRow};

use super::number::{missing, parse};
use super::{absent, view};
use crate::app::App;
use crate::http::{Call, Problem, Reply};
use crate::settle::settle;

/// Cancels an unpaid order of the buyer, whether it is stored or still in Kafka. Idempotent.
pub async fn cancel(app: &App, number: &str, call: &Call) -> Result<Reply, Problem> {
    let user = call.claims.user()?;
    let number = parse(number)?;
    let decided = match app.store.cancel(number, &user).await? {
        Cancel::NoRow => fence(app, number, &user).await?,
        decided => decided,
    };
    match decided {
        Cancel::Cancelled(row) => {
            settle(app, &row).await;
            Ok(Reply::ok(view::row(&row)))
        }
        Cancel::AlreadyFinal(row) if is_cancelled(&row) => {
            settle(app, &row).await;
            Ok(Reply::ok(view::row(&row)))
        }
        Cancel::AlreadyFinal(row) => {
            let status = row.status;
            let detail = format!("the order is {status} and cannot be cancelled any more");
            Err(Problem::conflict("already_final", "Too late", detail)
                .with("status", row.status.as_str()))
        }
        Cancel::OtherBuyer | Cancel::NoRow => Err(missing(number)),
    }
}

/// Void counts as well: an order that is cancelled before it is stored becomes void.
fn is_cancelled(row: &OrderRow) -> bool {
    matches!(row.status, Status::Cancelled | Status::Void)
}

/// Cancels an order that has no row yet: the fence prevents order-create from ever storing it. If
/// order-create was faster, the fence finds its row, or the gate has settled the order and dropped
/// its message or the whole reservation; then the row is cancelled.
async fn fence(app: &App, number: OrderNumber, user: &UserId) -> Result<Cancel, Problem> {
    let reservation = app.gate.reservation(number).await?;
    let reservation = reservation.filter(|r| r.user == *user);
    let request = reservation
        .as_ref()
        .and_then(|r| strict_json::from_str::<OrderRequested>(&r.message).ok());
    if let Some(request) = request {
        let fence = Fence::of_message(&request, "cancelled");
        if let Fenced::New(row) = app.store.fence(&fence).await? {
            return Ok(Cancel::Cancelled(row));
        }
    }
    match app.store.cancel(number, user).await? {
        // A reservation without a message and without a row: there is nothing to fence it by.
        Cancel::NoRow if reservation.is_some() => Err(Problem::unknown(number)),
        Cancel::NoRow => {
            absent::find(app, number).await?;
            Ok(app.store.cancel(number, user).await?)
        }
        decided => Ok(decided),
    }
}
