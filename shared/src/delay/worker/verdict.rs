//! From what a handler said to what becomes of its entry. Pure: the randomness is given.

use std::time::Duration;

use lambda_batch::{Backoff, Outcome, Reason};

/// What is done with an entry at the end of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is done.
    Ack,
    /// It is due again after a pause.
    Retry { pause_ms: u64 },
    /// It is put aside.
    Park(Reason),
}

/// What becomes of an entry whose attempt number `attempt` ended so.
pub(super) fn verdict(outcome: Outcome, attempt: u32, backoff: &Backoff, random: u64) -> Verdict {
    match outcome {
        Outcome::Done => Verdict::Ack,
        Outcome::Park(reason) => Verdict::Park(reason),
        Outcome::Retry(reason) => match backoff.delay(attempt, random) {
            Some(pause) => Verdict::Retry {
                pause_ms: pause.as_millis() as u64,
            },
            None => Verdict::Park(Reason::new(format_args!(
                "given up after {attempt} attempts: {reason}"
            ))),
        },
    }
}

/// An entry claimed beyond its attempts never came to an end: whoever took it died of it, or lost it each time. It is not tried again.
pub(super) fn worn_out(attempt: u32, backoff: &Backoff) -> Option<Verdict> {
    let most = backoff.max_attempts.filter(|most| attempt > *most)?;
    Some(Verdict::Park(Reason::new(format_args!(
        "given up: {most} attempts ended without a word, by death or by a lost lease"
    ))))
}

/// Whether a lease that was last renewed so long ago is to be renewed now: two more tries are left before it ends.
pub(super) fn to_renew(age: Duration, lease: Duration) -> bool {
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

    #[test]
    fn a_retry_is_granted_until_the_attempts_are_used_up_and_then_it_is_parked_with_the_last_reason()
     {
        let retry = |attempt| {
            verdict(
                Outcome::Retry(Reason::new("busy")),
                attempt,
                &BACKOFF,
                u64::MAX,
            )
        };
        assert_eq!(retry(1), Verdict::Retry { pause_ms: 99 });
        assert_eq!(retry(2), Verdict::Retry { pause_ms: 199 });
        assert_eq!(
            retry(3),
            Verdict::Park(Reason::new("given up after 3 attempts: busy"))
        );
        let endless = Backoff {
            max_attempts: None,
            ..BACKOFF
        };
        assert!(matches!(
            verdict(Outcome::Retry(Reason::new("busy")), 1000, &endless, 1),
            Verdict::Retry { .. }
        ));
    }

    #[test]
    fn what_is_done_or_hopeless_does_not_depend_on_attempts() {
        for attempt in [1, 3, 99] {
            assert_eq!(verdict(Outcome::Done, attempt, &BACKOFF, 0), Verdict::Ack);
            assert_eq!(
                verdict(Outcome::Park(Reason::new("odd")), attempt, &BACKOFF, 0),
                Verdict::Park(Reason::new("odd"))
            );
        }
    }

    #[test]
    fn an_entry_that_outlived_all_its_workers_is_not_given_to_another() {
        assert_eq!(worn_out(3, &BACKOFF), None);
        assert!(matches!(worn_out(4, &BACKOFF), Some(Verdict::Park(_))));
        assert_eq!(
            worn_out(
                u32::MAX,
                &Backoff {
                    max_attempts: None,
                    ..BACKOFF
                }
            ),
            None
        );
    }

    #[test]
    fn a_lease_is_renewed_while_there_is_time_to_try_twice_more() {
        let lease = Duration::from_secs(30);
        assert!(!to_renew(Duration::from_secs(9), lease));
        assert!(to_renew(Duration::from_secs(10), lease));
    }
}
