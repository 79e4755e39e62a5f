//! The delay before an entry that cannot be acknowledged yet is claimed again. Pure.

/// Minimum delay, ms. Less would spin.
const MIN_MS: u64 = 1_000;
/// First delay while another process must act, ms.
const FIRST_MS: u64 = 2_000;
/// Maximum delay while another process must act, ms: the longest time that an entry waits after it
/// could be handled.
const MAX_MS: u64 = 30_000;

/// When an entry is claimed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryDelay {
    /// After this many ms, at least a second: the order's time to pay ends then.
    Ms(u64),
    /// Another process must act first (order-create, a loader of the gate, an operator). The delay
    /// doubles with each attempt, from 2 s to 30 s.
    Backoff,
}

impl RetryDelay {
    /// The delay in ms after attempt number `attempt` (from 1).
    pub fn ms(self, attempt: u32) -> u64 {
        match self {
            Self::Ms(ms) => ms.max(MIN_MS),
            // Ten doublings exceed the maximum and do not overflow.
            Self::Backoff => (FIRST_MS << attempt.saturating_sub(1).min(10)).min(MAX_MS),
        }
    }

    /// For how long at least an entry has waited for other processes at attempt number `attempt`:
    /// the sum of the delays after the attempts before it. 0 at the first one.
    pub fn waited_ms(attempt: u32) -> u64 {
        let before = attempt.saturating_sub(1);
        let doubling = before.min(10);
        let doubled: u64 = (1..=doubling).map(|n| Self::Backoff.ms(n)).sum();
        doubled + u64::from(before - doubling) * MAX_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_delay_is_at_least_a_second() {
        for (ms, delay_ms) in [(0, 1_000), (1_000, 1_000), (90_000, 90_000)] {
            assert_eq!(RetryDelay::Ms(ms).ms(9), delay_ms);
        }
    }

    #[test]
    fn the_time_waited_is_the_sum_of_the_delays() {
        let waited: Vec<u64> = (0..8).map(RetryDelay::waited_ms).collect();
        assert_eq!(waited, [0, 0, 2_000, 6_000, 14_000, 30_000, 60_000, 90_000]);
        assert_eq!(RetryDelay::waited_ms(102), 60_000 + 96 * 30_000);
    }

    #[test]
    fn backoff_doubles_up_to_a_maximum() {
        let delays: Vec<u64> = (0..8)
            .map(|attempt| RetryDelay::Backoff.ms(attempt))
            .collect();
        assert_eq!(
            delays,
            [2_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]
        );
        for attempt in [62, 63, 64, 65, u32::MAX] {
            assert_eq!(RetryDelay::Backoff.ms(attempt), 30_000, "{attempt}");
        }
    }
}
