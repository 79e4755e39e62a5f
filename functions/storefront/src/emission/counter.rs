//! Counts emitted calls. Requests count those that find the queue full, the producer's thread the
//! rest.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// Minimum time between two reports.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);
/// Minimum time between two reports that contain drops.
const DROP_REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// Shared by requests and the producer's thread.
#[derive(Debug, Default)]
pub(super) struct DeliveryCounter {
    delivered: AtomicU64,
    dropped: AtomicU64,
    outstanding: AtomicU64,
    /// Notified when nothing is outstanding.
    idle: Notify,
    /// The last wait timed out, and nothing has been delivered since.
    timed_out: AtomicBool,
    /// Time of the last report, and its counts.
    reported: Mutex<(Option<Instant>, DeliveryCounts)>,
}

/// Number of calls by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeliveryCounts {
    /// Acknowledged by the broker.
    pub delivered: u64,
    /// Refused by the full queue, or not acknowledged in time.
    pub dropped: u64,
}

impl DeliveryCounter {
    /// A call is about to be queued.
    pub(super) fn queued(&self) {
        self.outstanding.fetch_add(1, Ordering::AcqRel);
    }

    /// A call was delivered, or dropped.
    pub(super) fn completed(&self, delivered: bool) {
        let counter = if delivered {
            &self.delivered
        } else {
            &self.dropped
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if delivered {
            self.timed_out.store(false, Ordering::Relaxed);
        }
        if self.outstanding.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.idle.notify_waiters();
        }
    }

    /// Waits until nothing is outstanding, at most `timeout`. Returns at once if the last wait
    /// timed out and nothing has been delivered since.
    pub(super) async fn settled(&self, timeout: Duration) {
        if timeout.is_zero() || self.timed_out.load(Ordering::Relaxed) {
            return;
        }
        let settled = async {
            loop {
                // Registered before the check, so that a notification in between is not lost.
                let mut idle = std::pin::pin!(self.idle.notified());
                idle.as_mut().enable();
                if self.outstanding.load(Ordering::Acquire) == 0 {
                    return;
                }
                idle.await;
            }
        };
        if tokio::time::timeout(timeout, settled).await.is_err() {
            self.timed_out.store(true, Ordering::Relaxed);
        }
    }

    /// Counts since the process started.
    pub(super) fn counts(&self) -> DeliveryCounts {
        DeliveryCounts {
            delivered: self.delivered.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
        }
    }

    /// Number of calls that wait for the broker.
    pub(super) fn outstanding(&self) -> u64 {
        self.outstanding.load(Ordering::Relaxed)
    }

    /// Counts since the last report, if a report is due.
    pub(super) fn due(&self, now: Instant) -> Option<DeliveryCounts> {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = self.counts();
        let (last, before) = *reported;
        let added = DeliveryCounts {
            delivered: counts.delivered - before.delivered,
            dropped: counts.dropped - before.dropped,
        };
        let wait = if added.dropped > 0 {
            DROP_REPORT_INTERVAL
        } else {
            REPORT_INTERVAL
        };
        if added == DeliveryCounts::default()
            || last.is_some_and(|last| now.saturating_duration_since(last) < wait)
        {
            return None;
        }
        *reported = (Some(now), counts);
        Some(added)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_call_is_reported_once_and_drops_sooner() {
        let counter = DeliveryCounter::default();
        let began = Instant::now();
        assert_eq!(counter.due(began), None, "nothing to report");
        for delivered in [true, true, false] {
            counter.queued();
            counter.completed(delivered);
        }
        assert_eq!(
            counter.due(began),
            Some(DeliveryCounts {
                delivered: 2,
                dropped: 1
            })
        );
        counter.queued();
        counter.completed(true);
        assert_eq!(counter.due(began + DROP_REPORT_INTERVAL), None);
        counter.queued();
        counter.completed(false);
        assert_eq!(
            counter.due(began + DROP_REPORT_INTERVAL),
            Some(DeliveryCounts {
                delivered: 1,
                dropped: 1
            })
        );
        assert_eq!(counter.due(began + 2 * REPORT_INTERVAL), None);
    }

    #[tokio::test]
    async fn after_a_timeout_no_answer_waits_until_a_delivery() {
        // A wait of this length hangs the test.
        const LONG: Duration = Duration::from_secs(3_600);
        let counter = DeliveryCounter::default();
        counter.settled(LONG).await; // nothing is outstanding
        counter.queued();
        counter.settled(Duration::ZERO).await; // no time to wait
        assert!(!counter.timed_out.load(Ordering::Relaxed));
        counter.settled(Duration::from_millis(1)).await;
        assert!(counter.timed_out.load(Ordering::Relaxed), "bounded");
        counter.settled(LONG).await; // timed out before
        counter.completed(true);
        assert!(
            !counter.timed_out.load(Ordering::Relaxed),
            "a delivery allows waits again"
        );
        counter.queued();
        let delivered = async {
            tokio::task::yield_now().await;
            counter.completed(false);
        };
        tokio::join!(counter.settled(LONG), delivered);
    }
}
