//! What became of emitted calls, counted by whoever knows: the request that found no room, the thread that hears of deliveries.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// Deliveries are reported at most so often.
const REPORT_EVERY: Duration = Duration::from_secs(10);
/// Drops are news: at most so often.
const REPORT_DROPS_EVERY: Duration = Duration::from_secs(1);

/// Shared by requests and the producer's thread.
#[derive(Debug, Default)]
pub(super) struct Tally {
    delivered: AtomicU64,
    dropped: AtomicU64,
    outstanding: AtomicU64,
    /// Rung when nothing is outstanding.
    idle: Notify,
    /// The last wait was in vain, and nothing has been delivered since.
    in_vain: AtomicBool,
    /// When something was last reported, and the counts then.
    reported: Mutex<(Option<Instant>, Counts)>,
}

/// How many calls came to which end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// The broker has them.
    pub delivered: u64,
    /// There was no room, or the broker did not take them in time.
    pub dropped: u64,
}

impl Tally {
    /// A call is about to be handed over.
    pub(super) fn handed_over(&self) {
        self.outstanding.fetch_add(1, Ordering::AcqRel);
    }

    /// It was delivered, or it never will be.
    pub(super) fn ended(&self, delivered: bool) {
        let counter = if delivered {
            &self.delivered
        } else {
            &self.dropped
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if delivered {
            self.in_vain.store(false, Ordering::Relaxed);
        }
        if self.outstanding.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.idle.notify_waiters();
        }
    }

    /// Waits until nothing is outstanding, for a while; not at all while waiting has no chance.
    pub(super) async fn settled(&self, at_most: Duration) {
        if at_most.is_zero() || self.in_vain.load(Ordering::Relaxed) {
            return;
        }
        let settled = async {
            loop {
                // Before the look, so that what is rung in between is heard.
                let mut idle = std::pin::pin!(self.idle.notified());
                idle.as_mut().enable();
                if self.outstanding.load(Ordering::Acquire) == 0 {
                    return;
                }
                idle.await;
            }
        };
        if tokio::time::timeout(at_most, settled).await.is_err() {
            self.in_vain.store(true, Ordering::Relaxed);
        }
    }

    /// Since the process began.
    pub(super) fn counts(&self) -> Counts {
        Counts {
            delivered: self.delivered.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
        }
    }

    /// Calls on their way.
    pub(super) fn outstanding(&self) -> u64 {
        self.outstanding.load(Ordering::Relaxed)
    }

    /// What happened since the last report, if it is time for one.
    pub(super) fn due(&self, now: Instant) -> Option<Counts> {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        let (counts, (last, before)) = (self.counts(), *reported);
        let news = Counts {
            delivered: counts.delivered - before.delivered,
            dropped: counts.dropped - before.dropped,
        };
        let wait = if news.dropped > 0 {
            REPORT_DROPS_EVERY
        } else {
            REPORT_EVERY
        };
        if news == Counts::default()
            || last.is_some_and(|last| now.saturating_duration_since(last) < wait)
        {
            return None;
        }
        *reported = (Some(now), counts);
        Some(news)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_is_reported_once_and_drops_sooner() {
        let tally = Tally::default();
        let began = Instant::now();
        assert_eq!(tally.due(began), None, "nothing to say");
        for delivered in [true, true, false] {
            tally.handed_over();
            tally.ended(delivered);
        }
        assert_eq!(
            tally.due(began),
            Some(Counts {
                delivered: 2,
                dropped: 1
            })
        );
        tally.handed_over();
        tally.ended(true);
        assert_eq!(tally.due(began + REPORT_DROPS_EVERY), None);
        tally.handed_over();
        tally.ended(false);
        assert_eq!(
            tally.due(began + REPORT_DROPS_EVERY),
            Some(Counts {
                delivered: 1,
                dropped: 1
            })
        );
        assert_eq!(tally.due(began + 2 * REPORT_EVERY), None);
    }

    #[tokio::test]
    async fn an_answer_waits_for_the_delivery_and_after_a_wait_in_vain_not_again_until_one_has_come()
     {
        // Whatever waits for so long in here hangs, and is seen to.
        const LONG: Duration = Duration::from_secs(3_600);
        let tally = Tally::default();
        tally.settled(LONG).await; // nothing is outstanding
        tally.handed_over();
        tally.settled(Duration::ZERO).await; // never to wait
        assert!(!tally.in_vain.load(Ordering::Relaxed));
        tally.settled(Duration::from_millis(1)).await;
        assert!(tally.in_vain.load(Ordering::Relaxed), "bounded");
        tally.settled(LONG).await; // no hope
        tally.ended(true);
        assert!(!tally.in_vain.load(Ordering::Relaxed), "hope again");
        tally.handed_over();
        let delivered = async {
            tokio::task::yield_now().await;
            tally.ended(false);
        };
        tokio::join!(tally.settled(LONG), delivered);
    }
}
