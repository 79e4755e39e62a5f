//! Looking orders up. An order is shown to its buyer; for anybody else it does not exist.

use std::time::Duration;

use serde_json::json;
use shared::gate::ResvState;
use shared::message::{Nonce, OrderNumber, OrderRequested};
use shared::store::OrderRow;
use tokio::time::{Instant, sleep, timeout_at};

use super::publish::Standing;
use super::{absent, view};
use crate::http::{Call, Problem, Reply};
use crate::storefront::Storefront;

/// First and longest pause between two looks at Postgres.
const PAUSE: (Duration, Duration) = (Duration::from_millis(15), Duration::from_millis(250));

/// `GET /orders/{number}`
pub async fn get(shop: &Storefront, number: &str, call: &Call) -> Result<Reply, Problem> {
    let user = call.claims.user()?;
    let number = parse(number)?;
    let answer = |row: &OrderRow| {
        if row.user.as_ref() == Some(&user) { Ok(Reply::ok(view::row(row))) } else { Err(missing(number)) }
    };
    if let Some(row) = shop.store.order(number).await? {
        return answer(&row);
    }
    let Some(reservation) = shop.gate.reservation(number).await? else {
        return answer(&absent::find(shop, number).await?);
    };
    if reservation.user != user {
        return Err(missing(number));
    }
    let Ok(request) = serde_json::from_str::<OrderRequested>(&reservation.message) else {
        // Stored between the two looks: its message is gone, its row is there.
        return answer(&shop.store.order(number).await?.ok_or_else(|| missing(number))?);
    };
    let status = match reservation.state {
        ResvState::Accepted { .. } | ResvState::Stored => "accepted",
        ResvState::Held | ResvState::Abandoning => "pending",
    };
    Ok(Reply::ok(view::request(&request, status)))
}

/// `GET /orders?limit=20&before=NUMBER`: mine, newest first.
pub async fn mine(shop: &Storefront, call: &Call) -> Result<Reply, Problem> {
    let user = call.claims.user()?;
    let limit = call.number("limit", 1, 100)?.unwrap_or(20) as u32;
    let before = call.query.get("before").map(|text| text.parse::<OrderNumber>());
    let before = before.transpose().map_err(|e| Problem::malformed(format_args!("before: {e}")))?;
    let rows = shop.store.orders_of(&user, before, limit).await?;
    let next = rows.last().filter(|_| rows.len() == limit as usize).map(|row| row.number);
    Ok(Reply::ok(json!({ "orders": rows.iter().map(view::row).collect::<Vec<_>>(), "before": next })))
}

/// The row of an order that the gate says is stored, or has ended.
pub(super) async fn stored(shop: &Storefront, order: OrderNumber, nonce: Nonce) -> Result<Standing, Problem> {
    match shop.store.order(order).await {
        Ok(Some(row)) if row.nonce == nonce => Ok(Standing::Row(row)),
        Ok(_) => Err(Problem::unknown(order)),
        Err(error) => {
            tracing::error!(%order, %error, "no row to answer by");
            Err(Problem::unknown(order))
        }
    }
}

/// Looks until an accepted order is stored, or the time is up. Postgres being away shortens nothing that was promised.
///
/// `earlier`: the order is of an earlier request, and its row may be there before the gate knows. It is looked for once even without
/// time to wait, so that nobody is told less than a look at the order has told them.
pub(super) async fn wait(shop: &Storefront, request: OrderRequested, time: Duration, earlier: bool) -> Standing {
    if time.is_zero() && !earlier {
        return Standing::Accepted(request);
    }
    let deadline = Instant::now() + time;
    let mut pause = PAUSE.0;
    let mut look_until = if earlier { deadline.max(Instant::now() + PAUSE.1) } else { deadline };
    loop {
        match timeout_at(look_until, shop.store.order(request.order)).await {
            Ok(Ok(Some(row))) if row.nonce == request.nonce => return Standing::Row(row),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(order = %request.order, %error, "while waiting"),
            Err(_) => return Standing::Accepted(request),
        }
        if Instant::now() + pause >= deadline {
            return Standing::Accepted(request);
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE.1);
        look_until = deadline;
    }
}

pub(super) fn parse(number: &str) -> Result<OrderNumber, Problem> {
    number.parse().map_err(|_| missing(number))
}

pub(super) fn missing(number: impl std::fmt::Display) -> Problem {
    Problem::not_found("no_such_order", format_args!("you have no order {number}"))
}
