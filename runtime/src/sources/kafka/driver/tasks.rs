//! What the driver has started: invocations and deliveries of failure records.

use std::panic::AssertUnwindSafe;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use tokio::task::JoinSet;

use crate::supervision::TaskError;

/// Work in progress. Dropping it cancels the work.
pub(super) struct Tasks<T> {
    /// Invocations run in the driver's own task: each has two steps, to hand over the event and to
    /// take the response, and a task of its own would add a switch between tasks to each.
    own: FuturesUnordered<BoxFuture<'static, Result<T, TaskError>>>,
    spawned: JoinSet<T>,
}

impl<T: Send + 'static> Tasks<T> {
    pub(super) fn new() -> Self {
        Self {
            own: FuturesUnordered::new(),
            spawned: JoinSet::new(),
        }
    }

    /// Runs in the driver's task, which starts it when it waits for the next end.
    pub(super) fn run(&self, work: impl Future<Output = T> + Send + 'static) {
        let caught = AssertUnwindSafe(work).catch_unwind();
        let caught = caught.map(|ended| ended.map_err(TaskError::from));
        self.own.push(caught.boxed());
    }

    /// Runs in a task of its own.
    pub(super) fn spawn(&mut self, work: impl Future<Output = T> + Send + 'static) {
        self.spawned.spawn(work);
    }

    /// Waits for the next end. `None`: nothing is in progress. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<Result<T, TaskError>> {
        tokio::select! {
            Some(ended) = self.own.next() => Some(ended),
            Some(ended) = self.spawned.join_next() => Some(ended.map_err(TaskError::from)),
            else => None,
        }
    }
}

#[cfg(test)]
#[path = "tasks_tests.rs"]
mod tests;
