//! Waiting until an accepted order is stored, for a request with `?wait=`.
//!
//! An instance that waits answers nothing else. So a share of the instances waits at most, counted in the gate over all of them, and
//! none while orders are not being stored. A request without a place is answered at once by what is known: 202, and when to look.

use std::time::Duration;

use shared::gate::{ResvState, WaitBegun};
use shared::message::OrderRequested;
use shared::store::Progress;
use tokio::time::{Instant, sleep, timeout_at};

use super::publish::Standing;
use crate::storefront::Storefront;

/// First and longest pause between two looks at Postgres.
const PAUSE: (Duration, Duration) = (Duration::from_millis(15), Duration::from_millis(250));
/// How often a waiting request looks whether create moves on.
const WATCH_EVERY: Duration = Duration::from_millis(500);
/// An order with so many records before it is not waited for: a batch of create by the template's defaults.
const MAX_BEHIND: i64 = 1_000;
/// A place outlives the time its request may wait by so much: what it needs to give it back.
const SLACK: Duration = Duration::from_secs(5);

/// Bounds on waiting, from the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitSettings {
    /// Requests that wait at a time at most, over all instances.
    pub places: u32,
    /// Create counts as standing still when the partition of a waiting request's order has not moved for so long. No request waits for
    /// as long after that.
    pub stall: Duration,
}

/// Looks until an accepted order is stored, or the time is up. Postgres being away shortens nothing that was promised.
///
/// `earlier`: the order is of an earlier request, and its row may be there before the gate is settled. It is looked for once even
/// without time to wait, so that no answer says less than a look at the order has said.
pub(super) async fn wait(
    shop: &Storefront,
    request: OrderRequested,
    time: Duration,
    earlier: bool,
) -> Standing {
    if earlier && let Some(standing) = look(shop, &request, Instant::now() + PAUSE.1).await {
        return standing;
    }
    if time.is_zero() {
        return Standing::Accepted(request);
    }
    let who = rand::random();
    let WaitSettings { places, stall } = shop.settings.waiting;
    match shop.gate.wait_begin(who, time + SLACK, places).await {
        Ok(WaitBegun::Yes) => {}
        Ok(WaitBegun::Full | WaitBegun::Lagging) => return Standing::Accepted(request),
        Err(error) => {
            tracing::warn!(order = %request.order, %error, "answered without waiting");
            return Standing::Accepted(request);
        }
    }
    let ended = until_stored(shop, &request, Instant::now() + time, stall).await;
    let lagging = if ended == Err(Unstored::Lagging) {
        stall
    } else {
        Duration::ZERO
    };
    if let Err(error) = shop.gate.wait_end(who, lagging).await {
        tracing::warn!(order = %request.order, %error, "a place to wait is given back by its time only");
    }
    ended.unwrap_or(Standing::Accepted(request))
}

/// Why a wait has ended without the order's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unstored {
    Lagging,
    TimeUp,
}

async fn until_stored(
    shop: &Storefront,
    request: &OrderRequested,
    deadline: Instant,
    stall: Duration,
) -> Result<Standing, Unstored> {
    let mut pause = PAUSE.0;
    let mut pace = Pace::default();
    let mut watch_at = Instant::now();
    loop {
        if let Some(standing) = look(shop, request, deadline).await {
            return Ok(standing);
        }
        let now = Instant::now();
        if now >= watch_at {
            if let Ok(Some(behind)) = timeout_at(deadline, behind(shop, request)).await
                && pace.lags(behind, now, stall)
            {
                tracing::info!(order = %request.order, behind, "orders are not being stored; not waited for");
                return Err(Unstored::Lagging);
            }
            watch_at = now + WATCH_EVERY;
        }
        if Instant::now() + pause >= deadline {
            return Err(Unstored::TimeUp);
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE.1);
    }
}

/// One look at the order's row.
async fn look(shop: &Storefront, request: &OrderRequested, until: Instant) -> Option<Standing> {
    match timeout_at(until, shop.store.order(request.order)).await {
        Ok(Ok(Some(row))) if row.nonce == request.nonce => return Some(Standing::Row(row)),
        Ok(Ok(_)) | Err(_) => {}
        Ok(Err(error)) => tracing::warn!(order = %request.order, %error, "while waiting"),
    }
    None
}

/// How many records create has still to read before this order, where that is known.
async fn behind(shop: &Storefront, request: &OrderRequested) -> Option<i64> {
    let reservation = shop.gate.reservation(request.order).await.ok()??;
    let ResvState::Accepted {
        partition, offset, ..
    } = reservation.state
    else {
        return None;
    };
    let progress = shop.store.progress(&shop.settings.topic).await.ok()?;
    Some(records_before(partition, offset, &progress))
}

/// Records of the partition from where create has come to up to `offset`. Negative where create has passed it.
fn records_before(partition: i32, offset: i64, progress: &[Progress]) -> i64 {
    offset
        - progress
            .iter()
            .find(|p| p.partition == partition)
            .map_or(0, |p| p.next_offset)
}

/// Whether create moves on in the partition of an awaited order.
#[derive(Debug, Default)]
struct Pace(Option<(i64, Instant)>);

impl Pace {
    /// `behind`: as of now. Create lags if too much is before the order, or if nothing has moved for `stall`.
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
    fn create_lags_when_it_stands_still_or_is_far_behind() {
        let mut pace = Pace::default();
        let began = Instant::now();
        assert!(!pace.lags(5, began, STALL));
        assert!(!pace.lags(5, began + STALL - WATCH_EVERY, STALL));
        assert!(!pace.lags(4, began + STALL, STALL), "it has moved");
        assert!(!pace.lags(4, began + STALL + WATCH_EVERY, STALL));
        assert!(pace.lags(4, began + STALL * 2, STALL));
        assert!(Pace::default().lags(MAX_BEHIND + 1, began, STALL));
        assert!(!Pace::default().lags(MAX_BEHIND, began, STALL));
    }

    #[test]
    fn records_before_an_order_are_those_of_its_partition() {
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
            "a partition of which nothing was read yet"
        );
    }
}
