//! When to try again: exponential, capped, with full jitter.

use std::time::Duration;

/// A retry policy. Pure: the attempt and the randomness are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Upper bound of the first wait.
    pub base: Duration,
    /// Upper bound of any wait.
    pub cap: Duration,
    /// Attempts in all, the first included; none: without end.
    pub max_attempts: Option<u32>,
}

impl Backoff {
    /// How long to wait after attempt number `attempt` (from 1) failed; nothing if that was the last.
    ///
    /// Evenly between zero and `min(cap, base * 2^(attempt - 1))`: full jitter, so that many who failed together do not return
    /// together. `random` is any 64 random bits.
    pub fn delay(&self, attempt: u32, random: u64) -> Option<Duration> {
        if self.max_attempts.is_some_and(|max| attempt >= max) {
            return None;
        }
        let doublings = attempt.saturating_sub(1);
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        let ceiling = self.base.saturating_mul(factor).min(self.cap);
        let nanos = (ceiling.as_nanos() * u128::from(random)) >> 64;
        Some(Duration::from_nanos(
            u64::try_from(nanos).unwrap_or(u64::MAX),
        ))
    }
}
