//! Looking orders up. An order is shown to its buyer and to operators (scope `orders:read`); for any other caller it does not exist.

use serde_json::{Value, json};
use shared::gate::ResvState;
use shared::message::{Nonce, OrderNumber, OrderRequested, UserId};
use shared::store::{OrderRow, PaymentFilter};

use super::publish::Standing;
use super::{absent, view};
use crate::http::{Call, Problem, Reply};
use crate::payments;
use crate::storefront::Storefront;

/// Payments of an order that an operator sees with it.
const SHOWN_PAYMENTS: u32 = 20;

/// `GET /orders/{number}`. An operator sees whose it is and what was paid for it as well.
pub async fn get(shop: &Storefront, number: &str, call: &Call) -> Result<Reply, Problem> {
    let user = call.claims.user()?;
    let number = parse(number)?;
    if !call.claims.has_scope("orders:read") {
        return find(shop, number, |buyer| buyer == Some(&user))
            .await
            .map(|(_, order)| Reply::ok(order));
    }
    let filter = PaymentFilter {
        order: Some(number),
        ..PaymentFilter::default()
    };
    let paid = shop.store.payments(&filter, None, SHOWN_PAYMENTS).await?;
    let (buyer, mut order) = find(shop, number, |_| true).await?;
    order["user"] = json!(buyer);
    order["payments"] = paid.iter().map(payments::view).collect();
    Ok(Reply::ok(order))
}

/// An order's buyer, where known, and what is shown of it: stored or on its way.
async fn find(
    shop: &Storefront,
    number: OrderNumber,
    shown_to: impl Fn(Option<&UserId>) -> bool,
) -> Result<(Option<UserId>, Value), Problem> {
    let shown =
        |row: OrderRow| shown_to(row.user.as_ref()).then(|| (row.user.clone(), view::row(&row)));
    if let Some(row) = shop.store.order(number).await? {
        return shown(row).ok_or_else(|| missing(number));
    }
    let Some(reservation) = shop.gate.reservation(number).await? else {
        return shown(absent::find(shop, number).await?).ok_or_else(|| missing(number));
    };
    let reservation = Some(reservation).filter(|r| shown_to(Some(&r.user)));
    let waiting = reservation.and_then(|r| {
        Some((
            strict_json::from_str::<OrderRequested>(&r.message).ok()?,
            r.state,
        ))
    });
    let Some((request, state)) = waiting else {
        // Stored between the two looks: its message is gone, or its reservation if it has ended since. Its row is there.
        return shop
            .store
            .order(number)
            .await?
            .and_then(shown)
            .ok_or_else(|| missing(number));
    };
    let status = match state {
        ResvState::Accepted { .. } | ResvState::Stored => "accepted",
        ResvState::Held | ResvState::Abandoning => "pending",
    };
    let order = view::request(&request, status);
    Ok((Some(request.user), order))
}

/// `GET /orders?limit=20&before=NUMBER`: mine, newest first.
pub async fn mine(shop: &Storefront, call: &Call) -> Result<Reply, Problem> {
    let user = call.claims.user()?;
    let limit = call.number("limit", 1, 100)?.unwrap_or(20) as u32;
    let before = call.parsed::<OrderNumber>("before")?;
    let rows = shop.store.orders_of(&user, before, limit).await?;
    let next = rows
        .last()
        .filter(|_| rows.len() == limit as usize)
        .map(|row| row.number);
    Ok(Reply::ok(
        json!({ "orders": rows.iter().map(view::row).collect::<Vec<_>>(), "before": next }),
    ))
}

/// The row of an order that the gate says is stored, or has ended.
pub(super) async fn stored(
    shop: &Storefront,
    order: OrderNumber,
    nonce: Nonce,
) -> Result<Standing, Problem> {
    match shop.store.order(order).await {
        Ok(Some(row)) if row.nonce == nonce => Ok(Standing::Row(row)),
        Ok(_) => Err(Problem::unknown(order)),
        Err(error) => {
            tracing::error!(%order, %error, "no row to answer by");
            Err(Problem::unknown(order))
        }
    }
}

pub(super) fn parse(number: &str) -> Result<OrderNumber, Problem> {
    number.parse().map_err(|_| missing(number))
}

pub(super) fn missing(number: impl std::fmt::Display) -> Problem {
    Problem::not_found("no_such_order", format_args!("you have no order {number}"))
}
