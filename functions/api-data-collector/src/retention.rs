//! When rows that are too old are deleted: after a batch, since without batches no rows are added.
//!
//! After the commit, so that a slow deletion delays a response but no sum. A bounded number of
//! rows, so that the delay is short. At most once per interval, unless the last deletion reached
//! its bound: then the next batch continues. With a bound of at least a batch, deleting keeps pace
//! with adding.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use shared::api_calls::DeletedCalls;
use shared::store::Store;

use crate::settings::Retention;

/// When this process last deleted rows.
#[derive(Debug, Default)]
pub(crate) struct RetentionTimer(Mutex<Option<Instant>>);

impl RetentionTimer {
    /// Deletes rows that are too old, if the interval is over. After an error the next interval
    /// tries again.
    pub(crate) async fn forget(&self, store: &Store, retention: &Retention) -> DeletedCalls {
        if !self.due(Instant::now(), retention.every) {
            return DeletedCalls::default();
        }
        match store
            .delete_old_calls(retention.calls, retention.minutes, retention.limit)
            .await
        {
            Ok(forgotten) => {
                if forgotten.calls.max(forgotten.minutes) >= u64::from(retention.limit) {
                    self.continue_with_next_batch();
                }
                forgotten
            }
            Err(error) => {
                tracing::warn!(%error, "old API calls are not deleted; the next interval tries again");
                DeletedCalls::default()
            }
        }
    }

    /// Whether the interval is over. If so, the next one begins.
    fn due(&self, now: Instant, every: Duration) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|last| now.saturating_duration_since(last) >= every);
        if due {
            *last = Some(now);
        }
        due
    }

    fn continue_with_next_batch(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_deleted_per_interval_or_until_none_is_left() {
        let timer = RetentionTimer::default();
        let began = Instant::now();
        let every = Duration::from_secs(60);
        assert!(timer.due(began, every));
        assert!(!timer.due(began + Duration::from_secs(59), every));
        assert!(timer.due(began + every, every));
        timer.continue_with_next_batch();
        assert!(timer.due(began + every, every));
    }
}
