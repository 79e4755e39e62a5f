//! A future that runs to its end, also where its caller goes away before.
//!
//! As long as the caller waits, the future runs in the caller's task: a task of its own would cost
//! two more switches between tasks for each call. One that is dropped before its end moves to a
//! task of its own.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::runtime::Handle;

use crate::supervision::TaskError;

/// The output of a future, or its panic.
type Ended<T> = Result<T, TaskError>;

/// A future that runs to its end.
pub(crate) struct RunToEnd<T: Send + 'static> {
    /// `None` once it has ended.
    running: Option<BoxFuture<'static, Ended<T>>>,
}

impl<T: Send + 'static> RunToEnd<T> {
    /// Runs in the caller's task until this value is dropped.
    pub(crate) fn new(future: impl Future<Output = T> + Send + 'static) -> Self {
        let caught = AssertUnwindSafe(future).catch_unwind();
        Self {
            running: Some(caught.map(|ended| ended.map_err(TaskError::from)).boxed()),
        }
    }
}

impl<T: Send + 'static> Future for RunToEnd<T> {
    type Output = Ended<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended<T>> {
        let Some(running) = &mut self.running else {
            return Poll::Pending;
        };
        let ended = running.as_mut().poll(cx);
        if ended.is_ready() {
            self.running = None;
        }
        ended
    }
}

impl<T: Send + 'static> Drop for RunToEnd<T> {
    fn drop(&mut self) {
        // without a runtime the host has ended
        if let (Some(running), Ok(runtime)) = (self.running.take(), Handle::try_current()) {
            runtime.spawn(running);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_dropped_call_still_ends() {
        let (go, gone) = oneshot::channel::<()>();
        let (done, ended) = oneshot::channel();
        let call = RunToEnd::new(async move {
            gone.await.unwrap();
            done.send(7).unwrap();
        });
        assert!(
            tokio::time::timeout(Duration::ZERO, call).await.is_err(),
            "its caller gives up"
        );
        go.send(()).unwrap();
        assert_eq!(ended.await, Ok(7));
    }

    #[tokio::test]
    async fn a_call_that_was_never_polled_still_ends() {
        let (done, ended) = oneshot::channel();
        drop(RunToEnd::new(async move { done.send(7) }));
        assert_eq!(ended.await, Ok(7));
    }

    #[tokio::test]
    async fn an_ended_call_returns_its_output_or_its_panic() {
        assert_eq!(RunToEnd::new(async { 7 }).await.ok(), Some(7));
        let panicked = async { assert_eq!(1, 2, "on purpose") };
        let error = RunToEnd::new(panicked).await.unwrap_err().to_string();
        assert!(
            error.contains("it panicked") && error.contains("on purpose"),
            "{error}"
        );
    }
}
