//! An outage of the Redis of caches: requests do without it at once, and it is logged once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis_link::LinkError;

/// After a failure no request is sent for so long: each would wait for the timeout.
const PAUSE: Duration = Duration::from_millis(500);

/// Skips requests for a while after a failure, and logs each outage once.
#[derive(Debug)]
pub(crate) struct OutageGuard {
    /// What follows from an outage, for the log.
    consequence: &'static str,
    failed_at: Mutex<Option<Instant>>,
    logged: AtomicBool,
}

impl OutageGuard {
    pub(crate) const fn new(consequence: &'static str) -> Self {
        Self {
            consequence,
            failed_at: Mutex::new(None),
            logged: AtomicBool::new(false),
        }
    }

    /// Fails if the last request has failed just now.
    pub(crate) fn check(&self) -> Result<(), LinkError> {
        let failed_at = *self
            .failed_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match failed_at {
            Some(failed_at) if failed_at.elapsed() < PAUSE => Err(LinkError::Unavailable(
                "the last request failed less than 0.5 s ago".into(),
            )),
            _ => Ok(()),
        }
    }

    /// Records how a request has ended.
    pub(crate) fn note<T>(&self, result: Result<T, LinkError>) -> Result<T, LinkError> {
        let error = result.as_ref().err();
        *self
            .failed_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = error.map(|_| Instant::now());
        match error {
            Some(error) if !self.logged.swap(true, Ordering::Relaxed) => {
                tracing::warn!(%error, consequence = self.consequence, "the cache is unavailable");
            }
            None if self.logged.swap(false, Ordering::Relaxed) => {
                tracing::info!("the cache is available again");
            }
            _ => {}
        }
        result
    }
}
