//! Waiting for a condition. A successful run comes nowhere near the deadline.

use std::time::{Duration, Instant};

/// Deadline of every wait, with room for a busy machine.
pub const DEADLINE: Duration = Duration::from_mins(1);

const PAUSE: Duration = Duration::from_millis(5);

/// Polls until the condition holds; at the deadline panics with `what`, the expected condition.
pub async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    eventually(what, async || condition().await.then_some(())).await;
}

/// Polls until there is a value; at the deadline panics with `what`, the expected condition.
pub async fn eventually<T>(what: &str, value: impl AsyncFnMut() -> Option<T>) -> T {
    eventually_within(DEADLINE, what, value).await
}

/// As [`eventually`], with a deadline of its own: for what servers delay by long time-outs.
pub async fn eventually_within<T>(
    limit: Duration,
    what: &str,
    mut value: impl AsyncFnMut() -> Option<T>,
) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = value().await {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {limit:?}");
        tokio::time::sleep(PAUSE).await;
    }
}
