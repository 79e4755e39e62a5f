//! `POST /orders/{number}/cancel`

use shared::message::{OrderNumber, OrderRequested, UserId};
use shared::sale::Status;
use shared::store::{Cancel, Fenced, OrderRow};

use super::lookup::{missing, parse};
use super::{absent, publish, settle, view};
use crate::http::{Call, Problem, Reply};
use crate::storefront::Storefront;

/// Ends an unpaid order of the buyer's, stored or still on its way. Repeating it is harmless.
pub async fn cancel(shop: &Storefront, number: &str, call: &Call) -> Result<Reply, Problem> {
    let user = call.claims.user()?;
    let number = parse(number)?;
    let decided = match shop.store.cancel(number, &user).await? {
        Cancel::NoRow => fence(shop, number, &user).await?,
        decided => decided,
    };
    match decided {
        Cancel::Cancelled(row) => {
            settle(shop, &row).await;
            Ok(Reply::ok(view::row(&row)))
        }
        Cancel::AlreadyFinal(row) if is_cancelled(&row) => {
            settle(shop, &row).await;
            Ok(Reply::ok(view::row(&row)))
        }
        Cancel::AlreadyFinal(row) => {
            let detail = format!(
                "the order is {} and cannot be cancelled any more",
                row.status
            );
            Err(Problem::new(409, "already_final", "Too late", detail)
                .with("status", row.status.as_str()))
        }
        Cancel::OtherBuyer | Cancel::NoRow => Err(missing(number)),
    }
}

/// Void counts: that is how an order ends that was cancelled before it was stored.
fn is_cancelled(row: &OrderRow) -> bool {
    matches!(row.status, Status::Cancelled | Status::Void)
}

/// Ends an order that is on its way: the fence keeps it from ever being stored. Where create has been quicker, there is a row to
/// cancel: the fence finds it, or the gate has settled it, and its message or the whole reservation is gone.
async fn fence(shop: &Storefront, number: OrderNumber, user: &UserId) -> Result<Cancel, Problem> {
    let reservation = shop
        .gate
        .reservation(number)
        .await?
        .filter(|r| r.user == *user);
    let request = reservation
        .as_ref()
        .and_then(|r| strict_json::from_str::<OrderRequested>(&r.message).ok());
    if let Some(request) = request
        && let Fenced::New(row) = shop
            .store
            .fence(&publish::fence_of(&request, "cancelled"))
            .await?
    {
        return Ok(Cancel::Cancelled(row));
    }
    match shop.store.cancel(number, user).await? {
        // The gate has a reservation and Postgres no row, and there is no message to fence it by.
        Cancel::NoRow if reservation.is_some() => Err(Problem::unknown(number)),
        Cancel::NoRow => {
            absent::find(shop, number).await?;
            Ok(shop.store.cancel(number, user).await?)
        }
        decided => Ok(decided),
    }
}
