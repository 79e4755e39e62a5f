//! Looks orders up. Its buyer and operators (scope `orders:read`) see an order; to any other caller
//! it does not exist.

use serde_json::{Value, json};
use shared::gate::ReservationState;
use shared::message::{OrderNumber, OrderRequested, UserId};
use shared::store::{OrderRow, PaymentFilter};

use super::number::{missing, parse};
use super::{absent, view};
use crate::app::App;
use crate::http::{Call, Problem, Reply};
use crate::payments;

/// Maximum number of payments shown with an order.
const MAX_PAYMENTS: u32 = 20;

/// `GET /orders/{number}`. An operator also sees the buyer and the payments.
pub async fn get(app: &App, number: &str, call: &Call) -> Result<Reply, Problem> {
    let user = call.claims.user()?;
    let number = parse(number)?;
    if !call.claims.has_scope("orders:read") {
        return find(app, number, |buyer| buyer == Some(&user))
            .await
            .map(|(_, order)| Reply::ok(order));
    }
    let filter = PaymentFilter {
        order: Some(number),
        ..PaymentFilter::default()
    };
    let paid = app.store.payments(&filter, None, MAX_PAYMENTS).await?;
    let (buyer, mut order) = find(app, number, |_| true).await?;
    order["user"] = json!(buyer);
    order["payments"] = paid.iter().map(payments::view).collect();
    Ok(Reply::ok(order))
}

/// The order's buyer, where known, and the order as JSON, whether stored or still in Kafka.
async fn find(
    app: &App,
    number: OrderNumber,
    shown_to: impl Fn(Option<&UserId>) -> bool,
) -> Result<(Option<UserId>, Value), Problem> {
    let shown =
        |row: OrderRow| shown_to(row.user.as_ref()).then(|| (row.user.clone(), view::row(&row)));
    if let Some(row) = app.store.order(number).await? {
        return shown(row).ok_or_else(|| missing(number));
    }
    let Some(reservation) = app.gate.reservation(number).await? else {
        return shown(absent::find(app, number).await?).ok_or_else(|| missing(number));
    };
    let reservation = Some(reservation).filter(|r| shown_to(Some(&r.user)));
    let waiting = reservation.and_then(|r| {
        let request: OrderRequested = strict_json::from_str(&r.message).ok()?;
        Some((request, r.state))
    });
    let Some((request, state)) = waiting else {
        // The order was stored between the two reads: its message, or its whole reservation, is
        // gone.
        let row = app.store.order(number).await?;
        return row.and_then(shown).ok_or_else(|| missing(number));
    };
    let status = match state {
        ReservationState::Accepted { .. } | ReservationState::Stored => "accepted",
        ReservationState::Held | ReservationState::Abandoning => "pending",
    };
    let order = view::request(&request, status);
    Ok((Some(request.user), order))
}

/// `GET /orders?limit=20&before=NUMBER`: the caller's orders, newest first.
pub async fn list(app: &App, call: &Call) -> Result<Reply, Problem> {
    let user = call.claims.user()?;
    let limit = call.number("limit", 1, 100)?.unwrap_or(20) as u32;
    let before = call.parsed::<OrderNumber>("before")?;
    let rows = app.store.orders_of(&user, before, limit).await?;
    let next = rows
        .last()
        .filter(|_| rows.len() == limit as usize)
        .map(|row| row.number);
    Ok(Reply::ok(
        json!({ "orders": rows.iter().map(view::row).collect::<Vec<_>>(), "before": next }),
    ))
}
