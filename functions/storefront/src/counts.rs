//! Counts that a flood of requests raises.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use shared::naming::Names;
use shared::telemetry::MetricLine;

/// Minimum time between two lines of one count.
const INTERVAL: Duration = Duration::from_secs(1);

/// A metric that is emitted at most once a second: under a flood a line for each refused request
/// would cost more than the refusal. What was counted within a second after the last line is part
/// of the next one, and lost if there is none.
#[derive(Debug)]
pub(crate) struct ThrottledCount {
    name: &'static str,
    names: Names,
    counted: Mutex<Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    pending: u64,
    emitted_at: Option<Instant>,
}

impl Counted {
    /// Counts one, and returns what is to be emitted now.
    fn add(&mut self, now: Instant) -> Option<u64> {
        self.pending += 1;
        let last = self.emitted_at;
        if last.is_some_and(|last| now.saturating_duration_since(last) < INTERVAL) {
            return None;
        }
        self.emitted_at = Some(now);
        Some(std::mem::take(&mut self.pending))
    }
}

impl ThrottledCount {
    /// The metric of this name.
    pub(crate) fn new(name: &'static str, names: &Names) -> Self {
        Self {
            name,
            names: names.clone(),
            counted: Mutex::default(),
        }
    }

    /// Counts one.
    pub(crate) fn add(&self) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let due = counted.add(Instant::now());
        drop(counted);
        if let Some(count) = due {
            MetricLine::new(&self.names).count(self.name, count).emit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_within_a_second_is_one_line() {
        let began = Instant::now();
        let mut counted = Counted::default();
        assert_eq!(counted.add(began), Some(1));
        for ms in 1..1000 {
            assert_eq!(counted.add(began + Duration::from_millis(ms)), None);
        }
        assert_eq!(counted.add(began + INTERVAL), Some(1000));
    }
}
