//! Points in time by two clocks, because each alone can measure too short a time.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A point in time by the monotonic and by the wall clock.
///
/// `CLOCK_MONOTONIC` runs while a process is stopped (SIGSTOP), but not while its machine is
/// suspended. The wall clock includes that time, but may be set. Data must be fresh by both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DualInstant {
    monotonic: Duration,
    wall: Duration,
}

impl DualInstant {
    /// Now.
    pub fn now() -> Self {
        static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            monotonic: STARTED.elapsed(),
            wall,
        }
    }

    /// A time given by both clocks, each since its own origin.
    pub const fn new(monotonic: Duration, wall: Duration) -> Self {
        Self { monotonic, wall }
    }

    /// Time since `earlier` by the clock that measured more. `None` if the wall clock was set back
    /// before it: then the time is unknown.
    pub fn since(self, earlier: Self) -> Option<Duration> {
        let wall = self.wall.checked_sub(earlier.wall)?;
        Some(wall.max(self.monotonic.saturating_sub(earlier.monotonic)))
    }

    /// Whether certainly less than `limit` has passed since `earlier`.
    pub fn is_within(self, limit: Duration, earlier: Self) -> bool {
        self.since(earlier).is_some_and(|age| age < limit)
    }

    /// Whether this is certainly not before `other`.
    pub fn is_not_before(self, other: Self) -> bool {
        self.monotonic >= other.monotonic
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(monotonic: u64, wall: u64) -> DualInstant {
        DualInstant::new(Duration::from_secs(monotonic), Duration::from_secs(wall))
    }

    #[test]
    fn time_has_passed_if_either_clock_says_so() {
        let limit = Duration::from_secs(5);
        assert!(at(14, 104).is_within(limit, at(10, 100)));
        // Suspended: only the wall clock ran. Set: only the monotonic clock is right.
        assert!(!at(11, 160).is_within(limit, at(10, 100)));
        assert!(!at(70, 101).is_within(limit, at(10, 100)));
    }

    #[test]
    fn a_wall_clock_set_back_makes_nothing_fresh() {
        assert_eq!(at(11, 99).since(at(10, 100)), None);
        assert!(!at(11, 99).is_within(Duration::MAX, at(10, 100)));
    }

    #[test]
    fn now_increases() {
        let first = DualInstant::now();
        let second = DualInstant::now();
        assert!(second.is_not_before(first) && second.since(first).is_some());
    }
}
