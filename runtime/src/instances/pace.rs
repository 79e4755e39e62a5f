//! How fast a process' output is read: a leaky bucket.
//!
//! A process that prints more waits for its pipe, and leaves the processor to others. Nobody reads so much, and the log would drop most
//! of it.

use std::time::{Duration, Instant};

/// Bytes a second of one stream, in the long run.
const RATE: f64 = 4.0 * 1024.0 * 1024.0;

/// Bytes beyond it at once.
const BURST: f64 = 4.0 * 1024.0 * 1024.0;

/// What was read of a stream.
#[derive(Debug)]
pub(super) struct Pace {
    /// Bytes not yet paid for by time.
    owed: f64,
    at: Instant,
}

impl Pace {
    /// Nothing has been read.
    pub(super) fn from(now: Instant) -> Self {
        Self { owed: 0.0, at: now }
    }

    /// How long to wait after so many more bytes.
    pub(super) fn after(&mut self, now: Instant, bytes: usize) -> Duration {
        let paid = now.saturating_duration_since(self.at).as_secs_f64() * RATE;
        self.owed = (self.owed - paid).max(0.0) + bytes as f64;
        self.at = now;
        Duration::from_secs_f64((self.owed - BURST).max(0.0) / RATE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_read_at_once_and_a_flood_at_the_rate() {
        let start = Instant::now();
        let mut pace = Pace::from(start);
        assert_eq!(pace.after(start, 4 * 1024 * 1024), Duration::ZERO);
        let mut now = start;
        let mut bytes = 0;
        while now < start + Duration::from_secs(10) {
            bytes += 64 * 1024;
            now += pace.after(now, 64 * 1024);
        }
        let rate = f64::from(bytes) / 10.0;
        assert!((0.99 * RATE..1.01 * RATE).contains(&rate), "{rate}");
        assert_eq!(
            pace.after(now + Duration::from_secs(1), 1024 * 1024),
            Duration::ZERO
        );
    }
}
