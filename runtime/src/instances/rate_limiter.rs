//! Limits how fast a process' output is read: a leaky bucket.
//!
//! A process that prints more blocks on its pipe, which leaves the processor to others. The log
//! would drop most of such output.

use std::time::{Duration, Instant};

/// Bytes per second of one stream.
const RATE: f64 = 4.0 * 1024.0 * 1024.0;

/// Bytes above the rate that pass without delay.
const BURST: f64 = 4.0 * 1024.0 * 1024.0;

/// The fill level of one stream's bucket.
#[derive(Debug)]
pub(super) struct RateLimiter {
    /// Bytes in the bucket.
    level: f64,
    at: Instant,
}

impl RateLimiter {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            level: 0.0,
            at: now,
        }
    }

    /// The delay before the next read after `bytes` more were read.
    pub(super) fn delay_after(&mut self, now: Instant, bytes: usize) -> Duration {
        let drained = now.saturating_duration_since(self.at).as_secs_f64() * RATE;
        self.level = (self.level - drained).max(0.0) + bytes as f64;
        self.at = now;
        Duration::from_secs_f64((self.level - BURST).max(0.0) / RATE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_a_flood_is_limited() {
        let start = Instant::now();
        let mut limiter = RateLimiter::new(start);
        assert_eq!(limiter.delay_after(start, 4 * 1024 * 1024), Duration::ZERO);
        let mut now = start;
        let mut bytes = 0;
        while now < start + Duration::from_secs(10) {
            bytes += 64 * 1024;
            now += limiter.delay_after(now, 64 * 1024);
        }
        let rate = f64::from(bytes) / 10.0;
        assert!((0.99 * RATE..1.01 * RATE).contains(&rate), "{rate}");
        assert_eq!(
            limiter.delay_after(now + Duration::from_secs(1), 1024 * 1024),
            Duration::ZERO
        );
    }
}
