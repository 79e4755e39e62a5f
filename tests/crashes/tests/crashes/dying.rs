//! Kills a process while it awaits.

use std::future::{Future, poll_fn};
use std::ops::ControlFlow;
use std::pin::pin;
use std::task::Poll;

/// More awaits than any future here has: one that reaches it never ends.
const MOST: usize = 5_000;

/// Runs a future until it has awaited `waits` times, then drops it. `None`: it was dropped.
pub(crate) async fn killed_after<T>(waits: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut waited = 0;
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending if waited + 1 >= waits => Poll::Ready(None),
        Poll::Pending => {
            waited += 1;
            Poll::Pending
        }
    })
    .await
}

/// Kills at the first await, the second, and so on up to `every`, then ever more sparsely, until
/// `round` reports that the future ended. Returns how often it killed.
pub(crate) async fn at_waits(
    every: usize,
    mut round: impl AsyncFnMut(usize) -> ControlFlow<()>,
) -> usize {
    let mut waits = 1;
    let mut killed = 0;
    while waits < MOST {
        if round(waits).await.is_break() {
            return killed;
        }
        killed += 1;
        waits += 1 + waits.saturating_sub(every) / 2;
    }
    panic!("it never ends")
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the round ends with this answer"
)]
pub(crate) fn whole<T>(ended: Option<T>) -> ControlFlow<()> {
    if ended.is_some() {
        ControlFlow::Break(())
    } else {
        ControlFlow::Continue(())
    }
}
