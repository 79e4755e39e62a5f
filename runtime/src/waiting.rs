//! The shutdown flag, an optional time and an optional limit, as futures.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// Resolves when the flag is true, or its sender is dropped.
pub(crate) async fn turned(flag: &mut watch::Receiver<bool>) {
    let _ = flag.wait_for(|on| *on).await;
}

/// The output of a future, or `None` after the limit; without a limit it takes any time.
pub(crate) async fn within<F: Future>(limit: Option<Duration>, future: F) -> Option<F::Output> {
    match limit {
        Some(limit) => tokio::time::timeout(limit, future).await.ok(),
        None => Some(future.await),
    }
}

/// Resolves at this time; `None`: never.
pub(crate) async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
