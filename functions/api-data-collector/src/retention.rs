//! When the oldest rows go. They go with the batches rather than by a tick of their own: one function has one trigger, and where no batch
//! comes nothing grows. After the commit, so that a slow deletion delays an acknowledgement and never a sum; a bounded number of rows, so
//! that it does not delay it for long; at most once a while, unless the last time found more than it might delete: then the next batch goes
//! on, and where the bound is no smaller than a batch, deleting keeps up with adding.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use shared::store::{Forgotten, Store};

use crate::settings::Retention;

/// When this process has last looked for what is too old.
#[derive(Debug, Default)]
pub(crate) struct Keeper(Mutex<Option<Instant>>);

impl Keeper {
    /// Deletes what is too old, if it is time to. A failure costs nothing: the next batch tries again.
    pub(crate) async fn forget(&self, store: &Store, retention: &Retention) -> Forgotten {
        if !self.due(Instant::now(), retention.every) {
            return Forgotten::default();
        }
        match store
            .forget_calls(retention.calls, retention.minutes, retention.limit)
            .await
        {
            Ok(forgotten) => {
                if forgotten.calls.max(forgotten.minutes) >= u64::from(retention.limit) {
                    self.again();
                }
                forgotten
            }
            Err(error) => {
                tracing::warn!(%error, "what is too old stays for now");
                Forgotten::default()
            }
        }
    }

    /// Whether it is time; if so, the time until the next one begins.
    fn due(&self, now: Instant, every: Duration) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|last| now.saturating_duration_since(last) >= every);
        if due {
            *last = Some(now);
        }
        due
    }

    fn again(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_time_at_first_then_after_a_while_and_at_once_where_more_was_left() {
        let keeper = Keeper::default();
        let began = Instant::now();
        let every = Duration::from_secs(60);
        assert!(keeper.due(began, every));
        assert!(!keeper.due(began + Duration::from_secs(59), every));
        assert!(keeper.due(began + every, every));
        keeper.again();
        assert!(keeper.due(began + every, every));
    }
}
