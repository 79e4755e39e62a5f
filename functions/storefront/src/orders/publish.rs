//! Step 2: the broker has the order, or its end is made sure of.
//!
//! The order of effects is the promise. *Accept* comes before the answer 202. A message is given up only by *abandon*, which tells
//! whether somebody else has come further; and only what was given up is fenced in Postgres, whose row then decides. Where the gate or
//! Postgres is away nothing more is done: the reservation's delay entry finishes the job.

use std::time::SystemTime;

use shared::gate::{Abandon, Accepted, OrderAt, ResvState, Settle, SettleTo};
use shared::message::OrderRequested;
use shared::store::{Fence, OrderRow};

use super::reserve::Held;
use super::{lookup, settle};
use crate::http::Problem;
use crate::kafka::Published;
use crate::storefront::Storefront;
use crate::traces::{self, Sending};

/// How an order stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// The broker has it, and the gate knows.
    Accepted(OrderRequested),
    /// Its row.
    Row(OrderRow),
}

/// Publishes a held order.
pub async fn publish(
    shop: &Storefront,
    held: &Held,
    sending: Option<Sending>,
) -> Result<Standing, Problem> {
    let order = held.at.order;
    let began = SystemTime::now();
    let published = shop.publisher.publish(order, &held.message).await;
    if let Some(sending) = sending.filter(|sending| sending.own.is_sampled()) {
        let message = (order, held.request.trace.as_deref());
        let took = (began, SystemTime::now());
        shop.tracer.record([traces::publish(
            sending,
            message,
            &shop.settings.topic,
            &published,
            took,
        )]);
    }
    match published {
        Published::Acknowledged {
            partition,
            offset,
            appended_ms,
        } => {
            let place = ResvState::Accepted {
                partition,
                offset,
                appended_ms,
            };
            tracing::debug!(%order, ?place, "published");
            accept(shop, held, partition, offset, appended_ms).await
        }
        // An earlier attempt may have arrived: only the first can be certain that nothing did.
        Published::Refused(why) if held.attempt == 1 => {
            tracing::warn!(%order, why, "not published");
            refused(shop, held).await
        }
        Published::Refused(why) | Published::Unknown(why) => {
            tracing::warn!(%order, why, "not known whether published");
            unknown(shop, held).await
        }
    }
}

async fn accept(
    shop: &Storefront,
    held: &Held,
    partition: i32,
    offset: i64,
    appended_ms: i64,
) -> Result<Standing, Problem> {
    let OrderAt { order, nonce, .. } = held.at;
    let lost = |e| {
        tracing::error!(%order, error = %e, "published, but the gate does not know");
        Problem::unknown(order)
    };
    let now_ms = shop.gate.now_ms().await.map_err(lost)?;
    let due_in_ms = (held.request.pay_by_ms.max(0) as u64).saturating_sub(now_ms);
    match shop
        .gate
        .accept(held.at, partition, offset, appended_ms, due_in_ms)
        .await
        .map_err(lost)?
    {
        Accepted::Yes | Accepted::Found(ResvState::Accepted { .. } | ResvState::Held) => {
            Ok(Standing::Accepted(held.request.clone()))
        }
        // Create was quicker than this answer.
        Accepted::Found(ResvState::Stored) | Accepted::Missing => {
            lookup::stored(shop, order, nonce).await
        }
        // The closer was: it took this request for dead.
        Accepted::Found(ResvState::Abandoning) => fence(shop, held).await,
    }
}

/// Nothing left this process, and nothing ever will if the attempt is still ours to give up.
async fn refused(shop: &Storefront, held: &Held) -> Result<Standing, Problem> {
    match shop.gate.abandon(held.at, Some(held.attempt)).await {
        Ok(Abandon::WasHeld) => {
            release(shop, held.at).await;
            Err(Problem::publish_failed())
        }
        other => after(shop, held, other).await,
    }
}

async fn unknown(shop: &Storefront, held: &Held) -> Result<Standing, Problem> {
    let found = shop.gate.abandon(held.at, Some(held.attempt)).await;
    after(shop, held, found).await
}

async fn after(
    shop: &Storefront,
    held: &Held,
    found: Result<Abandon, shared::gate::GateError>,
) -> Result<Standing, Problem> {
    match found {
        Ok(Abandon::WasHeld | Abandon::Found(ResvState::Abandoning)) => fence(shop, held).await,
        Ok(Abandon::Found(ResvState::Accepted { .. })) => {
            Ok(Standing::Accepted(held.request.clone()))
        }
        found => {
            tracing::warn!(order = %held.at.order, ?found, "left to the delay entry");
            Err(Problem::unknown(held.at.order))
        }
    }
}

/// Makes sure that an abandoned order is never created, unless it was; the row decides, and the gate is told.
pub async fn fence(shop: &Storefront, held: &Held) -> Result<Standing, Problem> {
    let OrderAt { order, nonce, .. } = held.at;
    let fenced = shop
        .store
        .fence(&fence_of(&held.request, "publish_unknown"))
        .await
        .map_err(|e| {
            tracing::error!(%order, error = %e, "not fenced; left to the delay entry");
            Problem::unknown(order)
        })?;
    let row = fenced.row().clone();
    if row.nonce == nonce {
        settle(shop, &row).await;
        return Ok(Standing::Row(row));
    }
    // The number is another order's, from before a loss of the gate: this one can never be stored.
    release(shop, held.at).await;
    Err(Problem::publish_failed())
}

/// The fence of a requested order.
pub(super) fn fence_of(request: &OrderRequested, reason: &'static str) -> Fence {
    Fence {
        number: request.order,
        nonce: request.nonce,
        user: Some(request.user.clone()),
        program: Some(request.program),
        category: Some(request.category),
        seats: request.seats.clone(),
        key: request.idempotency_key.clone(),
        reason,
    }
}

/// Frees a reservation that can have no row. If the gate is away, its delay entry does the same.
async fn release(shop: &Storefront, at: OrderAt) {
    let settle = Settle {
        at,
        user: None,
        key: None,
        seats: None,
        to: SettleTo::Gone { forget_key: true },
    };
    if let Err(error) = shop.gate.settle(&settle).await {
        tracing::warn!(order = %at.order, %error, "not released yet; left to the delay entry");
    }
}
