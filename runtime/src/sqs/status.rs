//! How far a mapping is, for those who watch.

use event_sources::Millis;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

use super::counting::Depth;
use event_sources::health::{SourceHealth, SourceProblem, SourceWatch, WaitingWork};
use event_sources::queue::QueueOverview;

/// One mapping, now. Counts are of messages, since the host started; one that comes again counts again.
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
    /// Dropped by the filters, and deleted without the function.
    pub filtered: u64,
    /// Batches handed to the function.
    pub batches: u64,
    /// Done, or dropped by the filters, and deleted from the queue.
    pub deleted: u64,
    /// Failed at the function; the queue gives them again, or moves them to its dead-letter queue.
    pub failed: u64,
    /// Given back to the queue before the function saw them.
    pub released: u64,
    /// Done, but the queue would not delete them: they come again.
    pub not_deleted: u64,
    /// Requests for messages that are out.
    pub receives: usize,
    /// At the function.
    pub in_flight: usize,
    /// Received, waiting for a batch to fill or for the function.
    pub held: usize,
    /// Messages in the queue as last reported, hidden ones included; `None`: not reported yet.
    pub waiting: Option<u64>,
    /// How it fares.
    pub health: SourceHealth,
    /// The reason of its state, where the mapping is unwell.
    pub problem: Option<String>,
}

/// Written by the driver and its tasks, read by the status.
#[derive(Debug, Default)]
pub(super) struct Progress {
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
    /// Classifies what has changed.
    fn look(&mut self) {
        let QueueOverview {
            in_flight, held, ..
        } = self.overview;
        let Depth { visible, hidden } = self.depth.unwrap_or_default();
        let waits = in_flight + held > 0 || visible + hidden > 0;
        // a hidden message is at work, here or at another host, or waits for its next try
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

impl Progress {
    pub(super) fn add(counter: &AtomicU64, messages: usize) {
        counter.fetch_add(messages as u64, Ordering::Relaxed);
    }

    fn observed(&self) -> MutexGuard<'_, Observed> {
        self.observed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the machine holds, and when the oldest of these messages was sent.
    pub(super) fn holds(&self, overview: QueueOverview, oldest: Option<Millis>) {
        let mut observed = self.observed();
        (observed.overview, observed.oldest) = (overview, oldest);
        observed.look();
    }

    /// The queue reports the number of its messages.
    pub(super) fn counted(&self, depth: Depth) {
        let mut observed = self.observed();
        observed.depth = Some(depth);
        observed.look();
    }

    /// Sets or clears the problem of asking the queue.
    pub(super) fn problem(&self, problem: Option<SourceProblem>) {
        let mut observed = self.observed();
        let now = now();
        if let Some(problem) = &problem {
            observed.watch.noted(now, &problem.reason);
        }
        observed.watch.problem(now, problem);
    }

    /// Whether an operator holds the mapping back.
    pub(super) fn paused(&self, paused: bool) {
        self.observed().watch.paused(now(), paused);
    }

    /// The function is done with messages.
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

    /// Why no messages are asked for although some may wait; `None`: they are.
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
