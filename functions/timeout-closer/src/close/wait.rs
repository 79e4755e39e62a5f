//! How long an entry waits that cannot be ended yet. Pure.

/// Entries are put off by at least this long, in ms: less would spin.
const MIN_MS: u64 = 1_000;
/// The first wait for another process, in ms.
const FIRST_MS: u64 = 2_000;
/// The longest wait for another process, in ms: what has become possible in the meantime happens no later than this.
const MAX_MS: u64 = 30_000;

/// When an entry is looked at again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// After so many ms, when its time is up; at least a second.
    Ms(u64),
    /// Another process has to act first (order-create, a loader of the gate, an operator): the wait doubles with each attempt, from
    /// 2 s to 30 s. While order-create is away, all orders of the sale wait like this.
    Backoff,
}

impl Wait {
    /// The wait in ms after attempt number `attempt` (from 1).
    pub fn pause_ms(self, attempt: u32) -> u64 {
        match self {
            Self::Ms(ms) => ms.max(MIN_MS),
            // Ten doublings are far beyond the bound, and no bit of them is lost.
            Self::Backoff => (FIRST_MS << attempt.saturating_sub(1).min(10)).min(MAX_MS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_time_is_kept_but_never_below_a_second() {
        for (ms, pause_ms) in [(0, 1_000), (1_000, 1_000), (90_000, 90_000)] {
            assert_eq!(Wait::Ms(ms).pause_ms(9), pause_ms);
        }
    }

    #[test]
    fn waiting_for_another_process_doubles_up_to_a_bound() {
        let pauses: Vec<u64> = (0..8)
            .map(|attempt| Wait::Backoff.pause_ms(attempt))
            .collect();
        assert_eq!(
            pauses,
            [2_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]
        );
        for attempt in [62, 63, 64, 65, u32::MAX] {
            assert_eq!(Wait::Backoff.pause_ms(attempt), 30_000, "{attempt}");
        }
    }
}
