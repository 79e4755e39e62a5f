//! What happens to an entry after an attempt. Pure: the randomness is a parameter.

use std::time::Duration;

use crate::{Backoff, Outcome, Reason};

/// What happens to an entry after an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Disposition {
    Ack,
    Retry { pause_ms: u64 },
    Park(Reason),
}

/// Applies the retry policy to the outcome of attempt number `attempt`.
pub(super) fn disposition(
    outcome: Outcome,
    attempt: u32,
    backoff: &Backoff,
    random: u64,
) -> Disposition {
    match outcome {
        Outcome::Done => Disposition::Ack,
        Outcome::Park(reason) => Disposition::Park(reason),
        Outcome::Retry(reason) => match backoff.delay(attempt, random) {
            Some(pause) => Disposition::Retry {
                pause_ms: pause.as_millis() as u64,
            },
            None => Disposition::Park(Reason::new(format_args!(
                "given up after {attempt} attempts: {reason}"
            ))),
        },
    }
}

/// Parks an entry that is claimed beyond its last attempt: each attempt ended without an outcome,
/// because the worker died or lost the lease.
pub(super) fn exhausted(attempt: u32, backoff: &Backoff) -> Option<Disposition> {
    let max = backoff.max_attempts.filter(|max| attempt > *max)?;
    Some(Disposition::Park(Reason::new(format_args!(
        "given up: {max} attempts ended without an outcome; their workers died or lost the lease"
    ))))
}

/// Whether a lease is to be extended: early enough for two more tries before it ends.
pub(super) fn needs_extension(age: Duration, lease: Duration) -> bool {
    age >= lease / 3
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff {
        base: Duration::from_millis(100),
        cap: Duration::from_secs(1),
        max_attempts: Some(3),
    };
    const ENDLESS: Backoff = Backoff {
        max_attempts: None,
        ..BACKOFF
    };

    #[test]
    fn the_last_failed_attempt_parks_with_its_reason() {
        let busy = || Outcome::Retry(Reason::new("busy"));
        let retry = |attempt| disposition(busy(), attempt, &BACKOFF, u64::MAX);
        assert_eq!(retry(1), Disposition::Retry { pause_ms: 99 });
        assert_eq!(retry(2), Disposition::Retry { pause_ms: 199 });
        assert_eq!(
            retry(3),
            Disposition::Park(Reason::new("given up after 3 attempts: busy"))
        );
        assert!(matches!(
            disposition(busy(), 1000, &ENDLESS, 1),
            Disposition::Retry { .. }
        ));
    }

    #[test]
    fn done_and_park_do_not_depend_on_attempts() {
        for attempt in [1, 3, 99] {
            assert_eq!(
                disposition(Outcome::Done, attempt, &BACKOFF, 0),
                Disposition::Ack
            );
            assert_eq!(
                disposition(Outcome::Park(Reason::new("odd")), attempt, &BACKOFF, 0),
                Disposition::Park(Reason::new("odd"))
            );
        }
    }

    #[test]
    fn an_entry_beyond_its_last_attempt_is_parked() {
        assert_eq!(exhausted(3, &BACKOFF), None);
        assert!(matches!(exhausted(4, &BACKOFF), Some(Disposition::Park(_))));
        assert_eq!(exhausted(u32::MAX, &ENDLESS), None);
    }

    #[test]
    fn a_lease_is_extended_early_enough_for_two_retries() {
        let lease = Duration::from_secs(30);
        assert!(!needs_extension(Duration::from_secs(9), lease));
        assert!(needs_extension(Duration::from_secs(10), lease));
    }
}
