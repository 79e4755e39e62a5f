//! The pause before a restart. Pure.

use std::time::Duration;

/// The pause after the first end; each further one is twice as long.
pub const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// After a run of this length the next end counts as the first.
pub const STEADY: Duration = Duration::from_secs(10);

/// The pauses of one component.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backoff {
    /// Ends since the component last ran for [`STEADY`].
    ends: u32,
}

impl Backoff {
    /// The pause after an end. `ran`: how long the component had run.
    pub fn pause(&mut self, ran: Duration) -> Duration {
        if ran >= STEADY {
            self.ends = 0;
        }
        // 2^20 times the first pause is far beyond the longest, and no overflow
        let pause = FIRST_PAUSE
            .saturating_mul(1 << self.ends.min(20))
            .min(LONGEST_PAUSE);
        self.ends = self.ends.saturating_add(1);
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let mut backoff = Backoff::default();
        let pauses: Vec<u128> = (0..12)
            .map(|_| backoff.pause(Duration::ZERO).as_millis())
            .collect();
        assert_eq!(pauses[..5], [100, 200, 400, 800, 1_600]);
        assert_eq!(pauses[9..], [30_000, 30_000, 30_000]);
        (0..100).for_each(|_| assert_eq!(backoff.pause(STEADY / 2), LONGEST_PAUSE));
    }

    #[test]
    fn a_steady_run_starts_the_pauses_again() {
        let mut backoff = Backoff::default();
        (0..6).for_each(|_| assert!(backoff.pause(Duration::ZERO) < STEADY));
        assert_eq!(backoff.pause(STEADY), FIRST_PAUSE);
        assert_eq!(backoff.pause(Duration::ZERO), FIRST_PAUSE * 2);
    }
}
