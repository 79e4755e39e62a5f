//! Futures that tasks select on: the shutdown flag, and an optional time.

use tokio::sync::watch;
use tokio::time::Instant;

/// Resolves when the flag is true, or its sender is dropped.
pub(crate) async fn turned(flag: &mut watch::Receiver<bool>) {
    let _ = flag.wait_for(|on| *on).await;
}

/// Resolves at this time; `None`: never.
pub(crate) async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
