//! Waiting for a condition, with errors retried until the deadline.

use std::time::Duration;

use anyhow::{Result, bail};
use testkit::wait::DEADLINE;
use tokio::time::{Instant, sleep};

/// Polls until there is a value. The error at the deadline names `what`, the expected
/// condition.
pub async fn until<T>(what: &str, mut poll: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match poll().await {
            Ok(Some(value)) => return Ok(value),
            Ok(None) if Instant::now() > deadline => {
                bail!("{what}: not within {DEADLINE:?}")
            }
            Err(error) if Instant::now() > deadline => {
                return Err(error.context(format!("{what}: not within {DEADLINE:?}")));
            }
            _ => sleep(Duration::from_millis(50)).await,
        }
    }
}
