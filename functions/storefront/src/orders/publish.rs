//! Step 2: publishes an order, or fences it.
//!
//! The order of effects is the guarantee. The gate *accepts* before the answer 202. An
//! unacknowledged message is given up only by *abandon*, which reports whether another process has
//! taken the order further. Only an abandoned order is fenced in Postgres, whose row then decides.
//! If the gate or Postgres is unavailable, the request stops: the reservation's delay entry
//! completes the order.
//!
//! The steps after a publish that was not acknowledged are on the heap, so that the future of an
//! ordinary order is small.

use std::time::SystemTime;

use shared::gate::{OrderAt, ReservationState, Settle};
use shared::protection::{Protection, removed};
use shared::steps::{
    AfterAbandon, AfterAccept, AfterFence, after_abandon, after_accept, after_fence,
};
use shared::store::Fence;
use shared::telemetry::SpanPosition;

use super::reserve::HeldOrder;
use super::state::{OrderState, stored};
use crate::app::App;
use crate::http::Problem;
use crate::kafka::Published;
use crate::settle::settle;
use crate::traces;

/// Publishes a held order.
pub async fn publish(
    app: &App,
    held: &HeldOrder,
    place: Option<SpanPosition>,
) -> Result<OrderState, Problem> {
    let order = held.at.order;
    let began = SystemTime::now();
    let published = app.publisher.publish(order, &held.message).await;
    if let Some(place) = place.filter(|place| place.context.is_sampled()) {
        let message = (order, held.request.trace.as_deref());
        let took = (began, SystemTime::now());
        let topic = &app.settings.topic;
        let span = traces::publish(place, message, topic, &published, took);
        app.tracer.record([span]);
    }
    match published {
        Published::Acknowledged {
            partition,
            offset,
            appended_ms,
        } => {
            let place = ReservationState::Accepted {
                partition,
                offset,
                appended_ms,
            };
            tracing::debug!(%order, ?place, "published");
            app.admission.published(partition, offset);
            accept(app, held, partition, offset, appended_ms).await
        }
        Published::Refused(why) | Published::Unknown(why) => {
            tracing::warn!(%order, why, "no broker has acknowledged the order; it is abandoned");
            Box::pin(abandon(app, held)).await
        }
    }
}

async fn accept(
    app: &App,
    held: &HeldOrder,
    partition: i32,
    offset: i64,
    appended_ms: i64,
) -> Result<OrderState, Problem> {
    let OrderAt { order, nonce, .. } = held.at;
    let lost = |e| {
        tracing::error!(%order, error = %e, "the order is published, but the gate did not record \
                                             it");
        Problem::unknown(order)
    };
    let now_ms = app.gate.now_ms().await.map_err(lost)?;
    let due_in_ms = (held.request.pay_by_ms.max(0) as u64).saturating_sub(now_ms);
    let accepted = app
        .gate
        .accept(held.at, partition, offset, appended_ms, due_in_ms);
    match after_accept(accepted.await.map_err(lost)?) {
        AfterAccept::Answer => Ok(OrderState::Accepted(held.request.clone())),
        AfterAccept::ReadRow => Box::pin(stored(app, order, nonce)).await,
        AfterAccept::Fence => Box::pin(fence(app, held)).await,
    }
}

/// Gives up a message without an acknowledgement, and fences its order. Also if the producer has
/// refused the message: another request of the same key may have sent it.
async fn abandon(app: &App, held: &HeldOrder) -> Result<OrderState, Problem> {
    let OrderAt { order, .. } = held.at;
    let unknown = |found: &dyn std::fmt::Debug| {
        tracing::warn!(%order, ?found, "cannot abandon the order; its delay entry completes it");
        Err(Problem::unknown(order))
    };
    let found = match app.gate.abandon(held.at).await {
        Ok(found) => found,
        Err(error) => return unknown(&error),
    };
    match after_abandon(found) {
        AfterAbandon::Fence => fence(app, held).await,
        AfterAbandon::Answer => Ok(OrderState::Accepted(held.request.clone())),
        AfterAbandon::Unknown => unknown(&found),
    }
}

/// Prevents an abandoned order from being stored, unless it has a row already. Settles the gate by
/// the row.
pub async fn fence(app: &App, held: &HeldOrder) -> Result<OrderState, Problem> {
    let OrderAt { order, nonce, .. } = held.at;
    if removed(Protection::Fence) {
        release(app, held.at).await;
        return Err(Problem::publish_failed());
    }
    let fence = Fence::of_message(&held.request, "publish_unknown");
    let fenced = app.store.fence(&fence).await.map_err(|e| {
        tracing::error!(%order, error = %e, "cannot fence the order; its delay entry completes it");
        Problem::unknown(order)
    })?;
    let row = fenced.row().clone();
    match after_fence(row.nonce, nonce) {
        AfterFence::SettleRow => {
            settle(app, &row).await;
            Ok(OrderState::Row(row))
        }
        AfterFence::Release => {
            release(app, held.at).await;
            Err(Problem::publish_failed())
        }
    }
}

/// Frees the seats of a reservation that can have no row. If the gate is unavailable, its delay
/// entry does so later.
async fn release(app: &App, at: OrderAt) {
    if let Err(error) = app.gate.settle(&Settle::gone(at)).await {
        tracing::warn!(order = %at.order, %error, "cannot release the seats; the delay entry \
            releases them");
    }
}
