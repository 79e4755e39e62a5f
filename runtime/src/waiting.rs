//! What tasks that run until they are told to stop wait for.

use tokio::sync::watch;
use tokio::time::Instant;

/// Resolves when the flag is true, or its owner gone.
pub(crate) async fn turned(flag: &mut watch::Receiver<bool>) {
    let _ = flag.wait_for(|on| *on).await;
}

/// Resolves at this time; without one never.
pub(crate) async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
