//! Exponential backoff with a cap and full jitter.

use std::time::Duration;

/// A retry policy. Pure: attempt and randomness are parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// Upper bound of the first delay.
    pub base: Duration,
    /// Upper bound of every delay.
    pub cap: Duration,
    /// Maximum attempts, the first included; `None` for no limit.
    pub max_attempts: Option<u32>,
}

impl Backoff {
    /// The delay after failed attempt number `attempt` (from 1); `None` after the last one.
    ///
    /// Uniform between zero and `min(cap, base * 2^(attempt - 1))` (full jitter), so that clients
    /// that failed together do not retry together. `random` is 64 random bits.
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
