//! Admission: no order is taken while order-create stores none.
//!
//! An accepted order has a time to pay that begins with its request. If order-create has not moved
//! for half of it although there is something to read, further buyers would hold seats for orders
//! that are stored too late, so they are asked to come back. A topic without unread records has no
//! lag, however long it is idle.
//!
//! Each process observes what it has published itself: where the brokers put it, and how far the
//! progress of order-create has come. It reads the progress at most a few times per pay window.

mod stall;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use shared::store::{Store, StoreError};
use stall::StallDetector;

/// A refusal is not based on older observations: the progress is read again before it.
const FRESH: Duration = Duration::from_secs(1);
/// While orders are refused, one request in this time is taken: what it publishes shows whether
/// order-create moves again, also in a topic that was created again.
const TRIAL: Duration = Duration::from_secs(5);
/// Number of times that the progress is read within the time that is tolerated.
const READS: u32 = 8;

/// What this process has observed of order-create.
#[derive(Debug, Default)]
pub struct Admission(Mutex<Observed>);

#[derive(Debug, Default)]
struct Observed {
    stall: StallDetector,
    /// When the progress was read last, or began to be.
    read_at: Option<Instant>,
    /// When a request was taken although order-create stalls.
    tried_at: Option<Instant>,
}

/// order-create stores no orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("order-create has stored no order for {} s", .0.as_secs())]
pub struct Stalled(pub Duration);

impl Admission {
    /// Records where the brokers have put an order.
    pub(crate) fn published(&self, partition: i32, offset: i64) {
        let now = Instant::now();
        self.observed().stall.published(partition, offset, now);
    }

    /// Whether an order may be taken. A read of the progress that fails changes nothing: while
    /// Postgres is away, order-create stores nothing either.
    ///
    /// # Errors
    /// order-create has not moved for the time that is `tolerated`.
    pub(crate) async fn admit(
        &self,
        store: &Store,
        topic: &str,
        tolerated: Duration,
    ) -> Result<(), Stalled> {
        let now = Instant::now();
        if !self.is_read_due(tolerated, now) {
            return self.decide(tolerated, now);
        }
        // On the heap: nearly every request reads nothing.
        if let Err(error) = Box::pin(self.read(store, topic)).await {
            tracing::warn!(%error, "the progress of order-create cannot be read");
        }
        self.decide(tolerated, Instant::now())
    }

    /// Once per interval, and before a refusal. Nothing is read while nothing is unread.
    fn is_read_due(&self, tolerated: Duration, now: Instant) -> bool {
        let mut observed = self.observed();
        let Some(stalled) = observed.stall.stalled_for(now) else {
            return false;
        };
        let interval = if stalled >= tolerated {
            FRESH
        } else {
            (tolerated / READS).max(FRESH)
        };
        let last = observed.read_at;
        let due = last.is_none_or(|last| now.saturating_duration_since(last) >= interval);
        if due {
            observed.read_at = Some(now);
        }
        due
    }

    async fn read(&self, store: &Store, topic: &str) -> Result<(), StoreError> {
        let progress = store.progress(topic).await?;
        let now = Instant::now();
        let mut observed = self.observed();
        for at in &progress {
            let place = (at.incarnation, at.next_offset);
            observed.stall.progressed(at.partition, place, now);
        }
        Ok(())
    }

    fn decide(&self, tolerated: Duration, now: Instant) -> Result<(), Stalled> {
        let mut observed = self.observed();
        let Some(stalled) = observed.stall.stalled_for(now) else {
            return Ok(());
        };
        if stalled < tolerated {
            return Ok(());
        }
        let last = observed.tried_at;
        if last.is_none_or(|last| now.saturating_duration_since(last) >= TRIAL) {
            observed.tried_at = Some(now);
            return Ok(());
        }
        Err(Stalled(stalled))
    }

    fn observed(&self) -> MutexGuard<'_, Observed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
