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
        // On its way: the fence keeps it from ever being stored. If create is quicker, there is a row to cancel.
        Cancel::NoRow => match fence(shop, number, &user).await? {
            Fenced::New(row) => Cancel::Cancelled(row),
            Fenced::Existing(_) => shop.store.cancel(number, &user).await?,
        },
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
            let detail = format!("the order is {} and cannot be cancelled any more", row.status);
            Err(Problem::new(409, "already_final", "Too late", detail).with("status", row.status.as_str()))
        }
        Cancel::NotYours | Cancel::NoRow => Err(missing(number)),
    }
}

/// Void counts: that is how an order ends that was cancelled before it was stored.
fn is_cancelled(row: &OrderRow) -> bool {
    matches!(row.status, Status::Cancelled | Status::Void)
}

async fn fence(shop: &Storefront, number: OrderNumber, user: &UserId) -> Result<Fenced, Problem> {
    let Some(reservation) = shop.gate.reservation(number).await? else {
        return Ok(Fenced::Existing(absent::find(shop, number).await?));
    };
    if reservation.user != *user {
        return Err(missing(number));
    }
    let request: OrderRequested = serde_json::from_str(&reservation.message).map_err(|_| Problem::unknown(number))?;
    Ok(shop.store.fence(&publish::fence_of(&request, "cancelled")).await?)
}
