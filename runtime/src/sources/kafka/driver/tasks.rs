//! What the driver has started: invocations, deliveries of failure records, and commits of moves.

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

    /// Runs on a thread, and may block.
    pub(super) fn spawn_blocking(&mut self, work: impl FnOnce() -> T + Send + 'static) {
        self.spawned.spawn_blocking(work);
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
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_end_is_returned_once() {
        let mut tasks = Tasks::new();
        tasks.run(async { 1 });
        tasks.spawn(async { 2 });
        tasks.spawn_blocking(|| 4);
        let mut sum = 0;
        while let Some(ended) = tasks.next().await {
            sum += ended.unwrap();
        }
        assert_eq!(sum, 7);
    }

    #[tokio::test]
    async fn a_panic_is_an_end() {
        let mut tasks = Tasks::<()>::new();
        tasks.run(async { panic!("on purpose") });
        let ended = tasks.next().await.unwrap();
        assert_eq!(ended.unwrap_err().to_string(), "it panicked: on purpose");
    }
}
