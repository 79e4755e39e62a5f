//! How far a mapping is, for those who watch.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::mapping::Overview;

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
    /// Why the queue cannot be asked just now.
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
    overview: Mutex<Overview>,
    problem: Mutex<Option<String>>,
}

impl Progress {
    pub(super) fn add(counter: &AtomicU64, messages: usize) {
        counter.fetch_add(messages as u64, Ordering::Relaxed);
    }

    pub(super) fn holds(&self, overview: Overview) {
        *self.overview.lock().unwrap_or_else(PoisonError::into_inner) = overview;
    }

    /// Sets or clears the problem.
    pub(super) fn problem(&self, problem: Option<String>) {
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }

    pub(super) fn snapshot(&self) -> SqsStatus {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Overview { receives, in_flight, held } = *self.overview.lock().unwrap_or_else(PoisonError::into_inner);
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
            problem: self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            ..SqsStatus::default()
        }
    }
}
