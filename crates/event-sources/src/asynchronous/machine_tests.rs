//! The machine, one rule at a time.

use std::collections::BTreeMap;

use super::*;
use crate::Millis;

const AGE: Millis = 60_000;

pub(super) fn policy() -> EventInvokePolicy {
    EventInvokePolicy {
        max_retries: 2,
        max_age: AGE,
        concurrency: 2,
        on_success: Vec::new(),
        on_failure: vec![
            EventDestination::Queue("failed".into()),
            EventDestination::DeadLetters("dead".into()),
        ],
    }
}

pub(super) fn machine(policy: EventInvokePolicy) -> AsyncMachine {
    AsyncMachine::new(BTreeMap::from([("F".to_owned(), policy)]), RetryTiming::AWS)
}

pub(super) fn entry(accepted: Millis) -> AcceptedEvent {
    AcceptedEvent {
        function: "F".into(),
        request_id: "r".into(),
        trace_id: None,
        accepted,
        invoked: 0,
        stage: EventStage::Waiting {
            failed: 0,
            delayed: 0,
            due: accepted,
        },
    }
}

pub(super) fn step(machine: &mut AsyncMachine, now: Millis, input: AsyncInput) -> Vec<AsyncAction> {
    let mut actions = Vec::new();
    machine.step(now, input, &mut actions);
    actions
}

#[test]
fn a_failing_event_is_retried_then_delivered() {
    let mut machine = machine(EventInvokePolicy {
        max_age: 3_600_000,
        ..policy()
    });
    assert_eq!(
        step(&mut machine, 0, AsyncInput::Accepted(1, entry(0))),
        [AsyncAction::Invoke(1)]
    );
    assert!(matches!(
        step(
            &mut machine,
            10,
            AsyncInput::Finished(1, AttemptResult::Failed)
        )[..],
        [AsyncAction::Save(1, _)]
    ));
    assert_eq!(machine.wake(), Some(60_010));
    assert!(step(&mut machine, 60_009, AsyncInput::Tick).is_empty());
    assert_eq!(
        step(&mut machine, 60_010, AsyncInput::Tick),
        [AsyncAction::Invoke(1)]
    );
    step(
        &mut machine,
        60_020,
        AsyncInput::Finished(1, AttemptResult::Failed),
    );
    assert_eq!(
        step(&mut machine, 180_020, AsyncInput::Tick),
        [AsyncAction::Invoke(1)]
    );
    let delivery = step(
        &mut machine,
        180_030,
        AsyncInput::Finished(1, AttemptResult::Failed),
    );
    let [
        AsyncAction::Save(1, saved),
        AsyncAction::Deliver(1, first),
        AsyncAction::Deliver(1, second),
    ] = &delivery[..]
    else {
        panic!("{delivery:?}")
    };
    assert_eq!(saved.invoked, 3);
    assert!(
        matches!(
            saved.stage,
            EventStage::Ended {
                condition: Condition::RetriesExhausted,
                at: 180_030,
                ..
            }
        ),
        "{saved:?}"
    );
    assert!(matches!(
        step(
            &mut machine,
            180_040,
            AsyncInput::Delivered(1, first.clone(), true)
        )[..],
        [AsyncAction::Save(1, _)]
    ));
    assert!(
        step(
            &mut machine,
            180_040,
            AsyncInput::Delivered(1, second.clone(), false)
        )
        .is_empty()
    );
    assert_eq!(
        step(&mut machine, 181_040, AsyncInput::Tick),
        [AsyncAction::Deliver(1, second.clone())]
    );
    assert_eq!(
        step(
            &mut machine,
            181_050,
            AsyncInput::Delivered(1, second.clone(), true)
        ),
        [AsyncAction::Forget(1)]
    );
}

#[test]
fn a_throttled_attempt_uses_up_no_retry() {
    let mut machine = machine(policy());
    step(&mut machine, 0, AsyncInput::Accepted(1, entry(0)));
    let mut now = 0;
    for wait in [1_000, 2_000, 4_000, 8_000, 16_000] {
        step(
            &mut machine,
            now,
            AsyncInput::Finished(1, AttemptResult::NotBegun),
        );
        assert_eq!(machine.wake(), Some(now + wait));
        now += wait;
        assert_eq!(
            step(&mut machine, now, AsyncInput::Tick),
            [AsyncAction::Invoke(1)]
        );
    }
    step(
        &mut machine,
        now,
        AsyncInput::Finished(1, AttemptResult::NotBegun),
    );
    let ended = step(&mut machine, AGE, AsyncInput::Tick);
    let AsyncAction::Save(1, saved) = &ended[0] else {
        panic!("{ended:?}")
    };
    assert!(
        matches!(
            saved.stage,
            EventStage::Ended {
                condition: Condition::EventAgeExceeded,
                ..
            }
        ),
        "{saved:?}"
    );
    assert_eq!(saved.invoked, 0);
}

#[test]
fn a_disabled_function_discards_its_events() {
    let mut machine = machine(EventInvokePolicy {
        concurrency: 0,
        ..policy()
    });
    assert_eq!(
        step(&mut machine, 0, AsyncInput::Accepted(1, entry(0))),
        [AsyncAction::Invoke(1)]
    );
    let ended = step(
        &mut machine,
        0,
        AsyncInput::Finished(1, AttemptResult::Never),
    );
    assert!(
        matches!(
            &ended[..],
            [
                AsyncAction::Save(..),
                AsyncAction::Deliver(..),
                AsyncAction::Deliver(..)
            ]
        ),
        "{ended:?}"
    );
}

#[test]
fn an_ended_event_leaves_no_timer() {
    let mut machine = machine(policy());
    step(&mut machine, 0, AsyncInput::Accepted(1, entry(0)));
    assert_eq!(
        step(
            &mut machine,
            5,
            AsyncInput::Finished(1, AttemptResult::Answered)
        ),
        [AsyncAction::Forget(1)]
    );
    assert_eq!(machine.wake(), None);
}

#[test]
fn a_discarded_event_without_destination_is_lost() {
    let mut machine = machine(EventInvokePolicy {
        on_failure: Vec::new(),
        max_retries: 0,
        ..policy()
    });
    step(&mut machine, 0, AsyncInput::Accepted(1, entry(0)));
    step(&mut machine, 0, AsyncInput::Accepted(2, entry(0)));
    let lost = AsyncAction::Lost("F".into(), "r".into(), Condition::RetriesExhausted);
    assert_eq!(
        step(
            &mut machine,
            5,
            AsyncInput::Finished(1, AttemptResult::Failed)
        ),
        [lost, AsyncAction::Forget(1)]
    );
    assert_eq!(
        step(
            &mut machine,
            5,
            AsyncInput::Finished(2, AttemptResult::Answered)
        ),
        [AsyncAction::Forget(2)]
    );
}

#[test]
fn a_changed_limit_applies_at_once() {
    let mut machine = machine(EventInvokePolicy {
        concurrency: 1,
        ..policy()
    });
    step(&mut machine, 0, AsyncInput::Accepted(1, entry(0)));
    assert!(step(&mut machine, 0, AsyncInput::Accepted(2, entry(0))).is_empty());
    assert!(step(&mut machine, 0, AsyncInput::Accepted(3, entry(0))).is_empty());
    assert_eq!(
        step(&mut machine, 0, AsyncInput::Limited("F".into(), 2)),
        [AsyncAction::Invoke(2)]
    );
    assert!(step(&mut machine, 0, AsyncInput::Limited("F".into(), 1)).is_empty());
    assert_eq!(
        step(
            &mut machine,
            0,
            AsyncInput::Finished(1, AttemptResult::Answered)
        ),
        [AsyncAction::Forget(1)]
    );
    assert_eq!(
        step(
            &mut machine,
            0,
            AsyncInput::Finished(2, AttemptResult::Answered)
        ),
        [AsyncAction::Forget(2), AsyncAction::Invoke(3)]
    );
}

#[test]
fn events_of_unknown_functions_are_kept() {
    let mut machine = machine(policy());
    let stranger = AcceptedEvent {
        function: "G".into(),
        ..entry(0)
    };
    assert!(
        step(
            &mut machine,
            AGE * 1_000,
            AsyncInput::Accepted(1, stranger.clone())
        )
        .is_empty()
    );
    assert_eq!(machine.overview().collect::<Vec<_>>(), [(&stranger, false)]);
}

#[test]
fn attempts_before_a_restart_begin_again() {
    let mut machine = machine(policy());
    assert_eq!(
        step(&mut machine, 0, AsyncInput::Accepted(1, entry(0))),
        [AsyncAction::Invoke(1)]
    );
    let stage = EventStage::Ended {
        condition: Condition::Success,
        at: 0,
        targets: vec![EventDestination::Queue("queue".into())],
    };
    let delivery = AsyncAction::Deliver(2, EventDestination::Queue("queue".into()));
    step(
        &mut machine,
        0,
        AsyncInput::Accepted(2, AcceptedEvent { stage, ..entry(0) }),
    );
    assert_eq!(
        step(&mut machine, 10, AsyncInput::Restarted),
        [AsyncAction::Invoke(1), delivery]
    );
    assert_eq!(
        step(
            &mut machine,
            20,
            AsyncInput::Finished(1, AttemptResult::Answered)
        ),
        [AsyncAction::Forget(1)]
    );
}
