//! When work between batches is due: once per interval and process, or with the next batch while
//! some is left.
//!
//! Work is done after a batch, since without batches nothing is added. After the commit, so that a
//! slow run delays a response but no sum; a bounded amount, so that the delay is short.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// When this process last began.
#[derive(Debug, Default)]
pub(crate) struct Interval(Mutex<Option<Instant>>);

impl Interval {
    /// Whether the interval is over. If so, the next one begins.
    pub(crate) fn due(&self, now: Instant, every: Duration) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|last| now.saturating_duration_since(last) >= every);
        if due {
            *last = Some(now);
        }
        due
    }

    /// Work is left: it is due with the next batch.
    pub(crate) fn continue_with_next_batch(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_due_per_interval_or_until_none_is_left() {
        let interval = Interval::default();
        let began = Instant::now();
        let every = Duration::from_secs(60);
        assert!(interval.due(began, every));
        assert!(!interval.due(began + Duration::from_secs(59), every));
        assert!(interval.due(began + every, every));
        interval.continue_with_next_batch();
        assert!(interval.due(began + every, every));
    }
}
