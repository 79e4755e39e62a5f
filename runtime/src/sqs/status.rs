//! The progress of a mapping, for the status.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

use super::depth::Depth;
use event_sources::Millis;
use event_sources::health::{SourceHealth, SourceProblem, SourceWatch, WaitingWork};
use event_sources::queue::QueueOverview;

/// The status of a mapping. Counters count messages since the start of the host; a message that is
/// received again counts again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SqsStatus {
    /// Logical id.
    pub mapping: String,
    /// Function's logical id.
    pub function: String,
    /// Name of the queue.
    pub queue: String,
    /// Received from the queue.
    pub received: u64,
    /// Dropped by the filters and deleted.
    pub filtered: u64,
    /// Invocations of the function.
    pub batches: u64,
    /// Deleted from the queue: processed, or dropped by the filters.
    pub deleted: u64,
    /// Failed at the function. The queue delivers them again, or moves them to its dead-letter
    /// queue.
    pub failed: u64,
    /// Released to the queue without an invocation.
    pub released: u64,
    /// Processed, but not deleted: they are delivered again.
    pub not_deleted: u64,
    /// Open requests for messages.
    pub receives: usize,
    /// At the function.
    pub in_flight: usize,
    /// Received, and waiting for their batch or for the function.
    pub held: usize,
    /// Messages in the queue as last reported, hidden ones included.
    pub waiting: Option<u64>,
    /// Health.
    pub health: SourceHealth,
    /// The reason of its state, if the mapping is unwell.
    pub problem: Option<String>,
}

/// Updated by the driver and its tasks, read by the status.
#[derive(Debug, Default)]
pub(super) struct SqsProgress {
    pub(super) received: AtomicU64,
    pub(super) filtered: AtomicU64,
    pub(super) batches: AtomicU64,
    pub(super) deleted: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) released: AtomicU64,
    pub(super) not_deleted: AtomicU64,
    observed: Mutex<Observed>,
}

#[derive(Debug)]
struct Observed {
    overview: QueueOverview,
    /// When the oldest message that is held or in flight was sent.
    oldest: Option<Millis>,
    depth: Option<Depth>,
    watch: SourceWatch,
}

impl Default for Observed {
    fn default() -> Self {
        Self {
            overview: QueueOverview::default(),
            oldest: None,
            depth: None,
            watch: SourceWatch::new(now()),
        }
    }
}

impl Observed {
    /// Reports the waiting work to the watch.
    fn report(&mut self) {
        let QueueOverview {
            in_flight, held, ..
        } = self.overview;
        let Depth { visible, hidden } = self.depth.unwrap_or_default();
        let waits = in_flight + held > 0 || visible + hidden > 0;
        // a hidden message is being processed, here or by another host, or waits for its next
        // attempt
        let in_flight = in_flight > 0 || hidden > 0;
        self.watch.waits(
            now(),
            waits.then_some(WaitingWork {
                oldest: self.oldest,
                since: None,
                in_flight,
            }),
        );
    }
}

fn now() -> Millis {
    Timestamp::now().as_millisecond()
}

impl SqsProgress {
    pub(super) fn add(counter: &AtomicU64, messages: usize) {
        counter.fetch_add(messages as u64, Ordering::Relaxed);
    }

    fn observed(&self) -> MutexGuard<'_, Observed> {
        self.observed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the counts of the machine, and when its oldest message was sent.
    pub(super) fn set_overview(&self, overview: QueueOverview, oldest: Option<Millis>) {
        let mut observed = self.observed();
        (observed.overview, observed.oldest) = (overview, oldest);
        observed.report();
    }

    /// Sets the depth that the queue reports.
    pub(super) fn set_depth(&self, depth: Depth) {
        let mut observed = self.observed();
        observed.depth = Some(depth);
        observed.report();
    }

    /// Sets or clears the problem of receiving.
    pub(super) fn problem(&self, problem: Option<SourceProblem>) {
        let mut observed = self.observed();
        let now = now();
        if let Some(problem) = &problem {
            observed.watch.noted(now, &problem.reason);
        }
        observed.watch.problem(now, problem);
    }

    /// Sets whether an operator has paused the mapping.
    pub(super) fn paused(&self, paused: bool) {
        self.observed().watch.paused(now(), paused);
    }

    /// The function processed messages.
    pub(super) fn succeeded(&self) {
        let mut observed = self.observed();
        let now = now();
        observed.watch.succeeded(now);
        observed.watch.progressed(now);
    }

    /// The filters dropped messages.
    pub(super) fn dropped(&self) {
        self.observed().watch.progressed(now());
    }

    /// The function failed.
    pub(super) fn failed(&self, error: &str) {
        self.observed().watch.failed(now(), error);
    }

    /// Sets why no messages are requested, although some may wait.
    pub(super) fn blocked(&self, why: Option<String>) {
        self.observed().watch.blocked(why);
    }

    /// The function did not begin.
    pub(super) fn refused(&self, why: String) {
        self.observed().watch.refused(why);
    }

    pub(super) fn snapshot(&self) -> SqsStatus {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let observed = self.observed();
        let QueueOverview {
            receives,
            in_flight,
            held,
        } = observed.overview;
        let health = observed.watch.health(now());
        SqsStatus {
            received: count(&self.received),
            filtered: count(&self.filtered),
            batches: count(&self.batches),
            deleted: count(&self.deleted),
            failed: count(&self.failed),
            released: count(&self.released),
            not_deleted: count(&self.not_deleted),
            receives,
            in_flight,
            held,
            waiting: observed.depth.map(|depth| depth.visible + depth.hidden),
            problem: health.problem(),
            health,
            ..SqsStatus::default()
        }
    }
}
