//! A process that is killed while it waits.

use std::future::{Future, poll_fn};
use std::ops::ControlFlow;
use std::pin::pin;
use std::task::Poll;

/// More waits than anything here has: what gets there never ends by itself.
const MOST: usize = 5_000;

/// Runs a future until it has waited `waits` times; then it is gone. Nothing: it was killed.
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

/// Kills at the first wait, the second, and so on up to `every`, then more and more sparsely, until
/// `round` says that nothing was left to kill. Answers how often it killed.
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
    panic!("it does not come to an end")
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the answer has been looked at: a round ends with it"
)]
pub(crate) fn whole<T>(ended: Option<T>) -> ControlFlow<()> {
    if ended.is_some() {
        ControlFlow::Break(())
    } else {
        ControlFlow::Continue(())
    }
}
