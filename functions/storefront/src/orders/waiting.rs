//! Waits until an accepted order is stored, for a request with `?wait=`.
//!
//! A waiting request occupies concurrency of its function: a whole instance, where an instance
//! serves one request at a time. So at most a share of the concurrency waits, counted in the gate
//! over all instances, and no request waits while order-create is stalled. A request that gets no
//! place is answered 202 at once.

use std::time::Duration;

use shared::gate::{ReservationState, WaitBegun};
use shared::message::OrderRequested;
use shared::store::Progress;
use tokio::time::{Instant, sleep, timeout_at};

use super::state::OrderState;
use crate::app::App;
use crate::settings::WaitSettings;

/// First pause between two reads of the row; each pause doubles the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(15);
/// Longest pause between two reads of the row.
const MAX_PAUSE: Duration = Duration::from_millis(250);
/// How often a waiting request checks the progress of order-create.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);
/// Maximum number of records before an order that is waited for: a batch of order-create, by the
/// template's defaults.
const MAX_BEHIND: i64 = 1_000;
/// How long a place outlives its request's wait, so that the request can return it.
const SLACK: Duration = Duration::from_secs(5);

/// Polls until an accepted order is stored, or the time is up. Errors of Postgres are retried until
/// then.
///
/// `earlier`: the order belongs to an earlier request, so its row may precede the gate's settling.
/// The row is read once even with `time` zero, so that no answer is older than an earlier one.
pub(super) async fn wait(
    app: &App,
    request: OrderRequested,
    time: Duration,
    earlier: bool,
) -> OrderState {
    if earlier && let Some(state) = look(app, &request, Instant::now() + MAX_PAUSE).await {
        return state;
    }
    if time.is_zero() {
        return OrderState::Accepted(request);
    }
    let who = rand::random();
    let WaitSettings { places, stall } = app.settings.waiting;
    match app.gate.wait_begin(who, time + SLACK, places).await {
        Ok(WaitBegun::Yes) => {}
        Ok(WaitBegun::Full | WaitBegun::Lagging) => return OrderState::Accepted(request),
        Err(error) => {
            tracing::warn!(order = %request.order, %error, "cannot take a place to wait; answered \
                at once");
            return OrderState::Accepted(request);
        }
    }
    let ended = until_stored(app, &request, Instant::now() + time, stall).await;
    let lagging = if ended == Err(WaitError::Lagging) {
        stall
    } else {
        Duration::ZERO
    };
    if let Err(error) = app.gate.wait_end(who, lagging).await {
        tracing::warn!(order = %request.order, %error, "cannot return the place to wait; it \
            expires");
    }
    ended.unwrap_or(OrderState::Accepted(request))
}

/// Why a wait ended without a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WaitError {
    Lagging,
    TimeUp,
}

async fn until_stored(
    app: &App,
    request: &OrderRequested,
    deadline: Instant,
    stall: Duration,
) -> Result<OrderState, WaitError> {
    let mut pause = FIRST_PAUSE;
    let mut detector = LagDetector::default();
    let mut check_at = Instant::now();
    loop {
        if let Some(state) = look(app, request, deadline).await {
            return Ok(state);
        }
        let now = Instant::now();
        if now >= check_at {
            if let Ok(Some(behind)) = timeout_at(deadline, behind(app, request)).await
                && detector.lags(behind, now, stall)
            {
                tracing::info!(order = %request.order, behind, "order-create lags; the request \
                    stops waiting");
                return Err(WaitError::Lagging);
            }
            check_at = now + CHECK_INTERVAL;
        }
        if Instant::now() + pause >= deadline {
            return Err(WaitError::TimeUp);
        }
        sleep(pause).await;
        pause = (pause * 2).min(MAX_PAUSE);
    }
}

/// One look at the order's row.
async fn look(app: &App, request: &OrderRequested, until: Instant) -> Option<OrderState> {
    match timeout_at(until, app.store.order(request.order)).await {
        Ok(Ok(Some(row))) if row.nonce == request.nonce => return Some(OrderState::Row(row)),
        Ok(Ok(_)) | Err(_) => {}
        Ok(Err(error)) => tracing::warn!(order = %request.order, %error, "while waiting"),
    }
    None
}

/// Number of records that order-create reads before this order, if known.
async fn behind(app: &App, request: &OrderRequested) -> Option<i64> {
    let reservation = app.gate.reservation(request.order).await.ok()??;
    let ReservationState::Accepted {
        partition, offset, ..
    } = reservation.state
    else {
        return None;
    };
    let progress = app.store.progress(&app.settings.topic).await.ok()?;
    Some(records_before(partition, offset, &progress))
}

/// Number of records of the partition between order-create's progress and `offset`. Negative if
/// order-create has passed it.
fn records_before(partition: i32, offset: i64, progress: &[Progress]) -> i64 {
    offset
        - progress
            .iter()
            .find(|p| p.partition == partition)
            .map_or(0, |p| p.next_offset)
}

/// Detects whether order-create makes progress in the partition of an awaited order.
#[derive(Debug, Default)]
struct LagDetector(Option<(i64, Instant)>);

impl LagDetector {
    /// Records an observation. order-create lags if more than [`MAX_BEHIND`] records precede the
    /// order, or if it made no progress for `stall`.
    fn lags(&mut self, behind: i64, now: Instant, stall: Duration) -> bool {
        if behind > MAX_BEHIND {
            return true;
        }
        match self.0 {
            Some((before, since)) if before == behind => now.duration_since(since) >= stall,
            _ => {
                self.0 = Some((behind, now));
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STALL: Duration = Duration::from_secs(10);

    #[test]
    fn order_create_lags_when_stalled_or_far_behind() {
        let mut detector = LagDetector::default();
        let began = Instant::now();
        assert!(!detector.lags(5, began, STALL));
        assert!(!detector.lags(5, began + STALL - CHECK_INTERVAL, STALL));
        assert!(
            !detector.lags(4, began + STALL, STALL),
            "it has made progress"
        );
        assert!(!detector.lags(4, began + STALL + CHECK_INTERVAL, STALL));
        assert!(detector.lags(4, began + STALL * 2, STALL));
        assert!(LagDetector::default().lags(MAX_BEHIND + 1, began, STALL));
        assert!(!LagDetector::default().lags(MAX_BEHIND, began, STALL));
    }

    #[test]
    fn only_records_of_its_partition_precede_an_order() {
        let at = |partition, next_offset| Progress {
            partition,
            incarnation: 1,
            next_offset,
            appended_ms: None,
        };
        let progress = [at(0, 100), at(1, 7)];
        assert_eq!(records_before(1, 10, &progress), 3);
        assert_eq!(records_before(0, 10, &progress), -90);
        assert_eq!(
            records_before(2, 10, &progress),
            10,
            "a partition without progress"
        );
    }
}
