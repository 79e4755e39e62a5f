//! Waiting for a condition.

use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::{Instant, sleep};

/// How long a condition may take on a busy machine. A run that is well never gets near it.
const DEADLINE: Duration = Duration::from_mins(1);

/// Looks until `look` sees something; `what` says what was awaited when it never came.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match look().await {
            Ok(Some(seen)) => return Ok(seen),
            Ok(None) if Instant::now() > deadline => {
                bail!("waited {} s in vain until {what}", DEADLINE.as_secs())
            }
            Err(error) if Instant::now() > deadline => {
                return Err(error.context(format!("while waiting until {what}")));
            }
            _ => sleep(Duration::from_millis(50)).await,
        }
    }
}
