//! Moments by two clocks, since either alone can be wrong about how much time has passed.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A moment of this process.
///
/// The ticking clock (`CLOCK_MONOTONIC`) goes on while a process is stopped (SIGSTOP), but stands still while its machine is suspended or
/// frozen; the wall clock knows of that, but may be set. What is to be fresh must be fresh by both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    ticking: Duration,
    wall: Duration,
}

impl Moment {
    /// Now.
    pub fn now() -> Self {
        static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
        let wall = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            ticking: BEGAN.elapsed(),
            wall,
        }
    }

    /// A moment given by both clocks, each since an origin of its own.
    pub const fn new(ticking: Duration, wall: Duration) -> Self {
        Self { ticking, wall }
    }

    /// Time since an earlier moment by the clock that counts more of it. Nothing if the wall clock was set back behind it: then nobody knows.
    pub fn since(self, earlier: Self) -> Option<Duration> {
        let wall = self.wall.checked_sub(earlier.wall)?;
        Some(wall.max(self.ticking.saturating_sub(earlier.ticking)))
    }

    /// Whether less than `limit` has passed for certain since `earlier`.
    pub fn is_within(self, limit: Duration, earlier: Self) -> bool {
        self.since(earlier).is_some_and(|age| age < limit)
    }

    /// Whether this is certainly not before `other`: equal moments are not.
    pub fn is_not_before(self, other: Self) -> bool {
        self.ticking >= other.ticking
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ticking: u64, wall: u64) -> Moment {
        Moment::new(Duration::from_secs(ticking), Duration::from_secs(wall))
    }

    #[test]
    fn time_has_passed_if_either_clock_says_so() {
        let limit = Duration::from_secs(5);
        assert!(at(14, 104).is_within(limit, at(10, 100)));
        // Suspended: only the wall clock went on. Set: only the ticking clock is right.
        assert!(!at(11, 160).is_within(limit, at(10, 100)));
        assert!(!at(70, 101).is_within(limit, at(10, 100)));
    }

    #[test]
    fn after_the_wall_clock_was_set_back_nothing_is_fresh() {
        assert_eq!(at(11, 99).since(at(10, 100)), None);
        assert!(!at(11, 99).is_within(Duration::MAX, at(10, 100)));
    }

    #[test]
    fn now_goes_forward() {
        let first = Moment::now();
        let second = Moment::now();
        assert!(second.is_not_before(first) && second.since(first).is_some());
    }
}
