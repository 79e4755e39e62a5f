//! The progress of a mapping, for the status.

use std::sync::Mutex;

use serde::Serialize;

use super::depth::Depth;
use crate::clock::now;
use crate::lock::lock;
use event_sources::Millis;
use event_sources::health::{SourceHealth, SourceProblem, SourceWatch, WaitingWork};
use event_sources::queue::QueueOverview;
use sam_template::model::SqsMapping;

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
#[derive(Debug)]
pub(super) struct SqsProgress(Mutex<Observed>);

#[derive(Debug)]
struct Observed {
    /// Names, counters and counts; the health is set in each snapshot.
    status: SqsStatus,
    /// When the oldest message that is held or in flight was sent.
    oldest: Option<Millis>,
    depth: Depth,
    watch: SourceWatch,
}

impl Observed {
    /// Reports the waiting work to the watch.
    fn report(&mut self) {
        let Depth { visible, hidden } = self.depth;
        let SqsStatus {
            in_flight, held, ..
        } = self.status;
        let waits = in_flight + held > 0 || visible + hidden > 0;
        let waiting = WaitingWork {
            oldest: self.oldest,
            since: None,
            // a hidden message is being processed, here or by another host, or waits for its next
            // attempt
            in_flight: in_flight > 0 || hidden > 0,
        };
        self.watch.waits(now(), waits.then_some(waiting));
    }
}

impl SqsProgress {
    pub(super) fn new(mapping: &SqsMapping) -> Self {
        let status = SqsStatus {
            mapping: mapping.id.clone(),
            function: mapping.function.clone(),
            queue: mapping.queue_name().to_owned(),
            ..SqsStatus::default()
        };
        Self(Mutex::new(Observed {
            status,
            oldest: None,
            depth: Depth::default(),
            watch: SourceWatch::new(now()),
        }))
    }

    /// Changes counters.
    pub(super) fn count(&self, change: impl FnOnce(&mut SqsStatus)) {
        change(&mut lock(&self.0).status);
    }

    /// Reports an observation to the watch, with the current time.
    pub(super) fn observe(&self, report: impl FnOnce(&mut SourceWatch, Millis)) {
        report(&mut lock(&self.0).watch, now());
    }

    /// Sets the counts of the machine, and when its oldest message was sent.
    pub(super) fn set_overview(&self, overview: QueueOverview, oldest: Option<Millis>) {
        let mut observed = lock(&self.0);
        observed.status.receives = overview.receives;
        observed.status.in_flight = overview.in_flight;
        observed.status.held = overview.held;
        observed.oldest = oldest;
        observed.report();
    }

    /// Sets the depth that the queue reports.
    pub(super) fn set_depth(&self, depth: Depth) {
        let mut observed = lock(&self.0);
        observed.status.waiting = Some(depth.visible + depth.hidden);
        observed.depth = depth;
        observed.report();
    }

    /// Sets or clears the problem of receiving.
    pub(super) fn problem(&self, problem: Option<SourceProblem>) {
        self.observe(|watch, now| {
            if let Some(problem) = &problem {
                watch.noted(now, &problem.reason);
            }
            watch.problem(now, problem);
        });
    }

    pub(super) fn snapshot(&self) -> SqsStatus {
        let observed = lock(&self.0);
        let health = observed.watch.health(now());
        SqsStatus {
            problem: health.problem(),
            health,
            ..observed.status.clone()
        }
    }
}
