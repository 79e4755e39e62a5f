//! Passes a firing to the queue of asynchronous events, with retries.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::payload::{self, Attempt};
use crate::sources::asynchronous::{AsyncEvent, NotAccepted};
use crate::waiting::turned;
use sam_template::model::Schedule;

/// Maximum of retries and their maximum duration: the services' defaults
/// ("`RetryPolicy`" in the `EventBridge` Scheduler API reference, "Retry policy" in `EventBridge`'s
/// guide).
const MAX_RETRIES: u32 = 185;
const MAX_AGE: SignedDuration = SignedDuration::from_hours(24);

/// Wait before the first retry; doubles with every further retry.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Upper bound of the wait.
const MAX_WAIT: Duration = Duration::from_mins(1);

/// Retries until `accept` accepts the event, a limit is reached, or the host drains. `wait` returns
/// the pause after an attempt.
pub(super) async fn deliver<F>(
    schedule: &Schedule,
    scheduled: Timestamp,
    mut shutdown: watch::Receiver<bool>,
    wait: impl Fn(u32) -> Duration,
    accept: impl Fn(AsyncEvent) -> F,
) where
    F: Future<Output = Result<String, NotAccepted>>,
{
    for number in 1.. {
        let Err(why) = accept(event(schedule, scheduled, number)).await else {
            return;
        };
        let give_up = |end: &str| {
            tracing::error!(
                alarm = "schedule_not_fired",
                schedule = schedule.id,
                number,
                "not fired: {why}{end}"
            );
        };
        let lasting = matches!(why, NotAccepted::NotFound(_) | NotAccepted::TooLarge(_));
        if lasting || number > MAX_RETRIES || Timestamp::now().duration_since(scheduled) > MAX_AGE {
            return give_up("");
        }
        let wait = wait(number);
        tracing::warn!(
            schedule = schedule.id,
            number,
            "not fired yet: {why}; next attempt in {} s",
            wait.as_secs()
        );
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = turned(&mut shutdown) => return give_up(", and the host drains"),
        }
    }
}

fn event(schedule: &Schedule, scheduled: Timestamp, number: u32) -> AsyncEvent {
    let attempt = Attempt {
        scheduled,
        number,
        execution: rand::random(),
        event: rand::random(),
    };
    AsyncEvent {
        function: schedule.function.clone(),
        payload: payload::event(schedule, &attempt),
        trace_id: None,
    }
}

/// The wait after an attempt.
pub(super) fn wait_after(number: u32) -> Duration {
    FIRST_WAIT
        .saturating_mul(1 << (number - 1).min(16))
        .min(MAX_WAIT)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::super::tests::schedule;
    use super::*;
    use sam_template::model::ScheduleKind;

    #[tokio::test]
    async fn the_attempt_number_grows_until_acceptance() {
        let input = "<aws.scheduler.attempt-number> <aws.scheduler.execution-id>";
        let schedule = schedule(ScheduleKind::Scheduler, Some(input));
        let (_stop, shutdown) = watch::channel(false);
        let tried = RefCell::new(Vec::new());
        let accept = |event: AsyncEvent| {
            let mut tried = tried.borrow_mut();
            tried.push(serde_json::from_slice::<String>(&event.payload).unwrap());
            std::future::ready(if tried.len() < 3 {
                Err(NotAccepted::Full)
            } else {
                Ok("taken".to_owned())
            })
        };
        deliver(
            &schedule,
            Timestamp::now(),
            shutdown,
            |_| Duration::ZERO,
            accept,
        )
        .await;
        let tried = tried.into_inner();
        let numbers: Vec<&str> = tried
            .iter()
            .filter_map(|text| text.split_once(' '))
            .map(|(number, _)| number)
            .collect();
        assert_eq!(numbers, ["1", "2", "3"]);
        assert!(
            tried[0].split_once(' ').unwrap().1 != tried[1].split_once(' ').unwrap().1,
            "each attempt has its own id"
        );
    }

    #[tokio::test]
    async fn a_permanent_refusal_is_not_retried() {
        let (_stop, shutdown) = watch::channel(false);
        let tried = RefCell::new(0);
        let accept = |_| {
            *tried.borrow_mut() += 1;
            std::future::ready(Err(NotAccepted::TooLarge(9)))
        };
        deliver(
            &schedule(ScheduleKind::Rule, None),
            Timestamp::now(),
            shutdown,
            |_| Duration::ZERO,
            accept,
        )
        .await;
        assert_eq!(tried.into_inner(), 1);
    }
}
