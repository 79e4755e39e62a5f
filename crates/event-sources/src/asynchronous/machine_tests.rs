//! The machine against its rules: single cases, and any course of things with deaths of the host in between.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::Millis;

const AGE: Millis = 60_000;

fn policy() -> EventInvokePolicy {
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

fn machine(policy: EventInvokePolicy) -> AsyncMachine {
    AsyncMachine::new(BTreeMap::from([("F".to_owned(), policy)]), RetryTiming::AWS)
}

fn entry(accepted: Millis) -> AcceptedEvent {
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

fn step(machine: &mut AsyncMachine, now: Millis, input: AsyncInput) -> Vec<AsyncAction> {
    let mut actions = Vec::new();
    machine.step(now, input, &mut actions);
    actions
}

#[test]
fn a_failing_event_is_tried_after_one_and_two_minutes_and_then_its_destinations_are_told() {
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
    let told = step(
        &mut machine,
        180_030,
        AsyncInput::Finished(1, AttemptResult::Failed),
    );
    let [
        AsyncAction::Save(1, saved),
        AsyncAction::Deliver(1, first),
        AsyncAction::Deliver(1, second),
    ] = &told[..]
    else {
        panic!("{told:?}")
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
fn throttles_use_up_no_retry_and_wait_longer_each_time_until_the_event_is_too_old() {
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
fn a_function_that_may_not_run_gives_its_events_up_without_a_retry() {
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
fn nothing_is_waited_for_once_an_event_has_ended() {
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
fn an_event_that_is_given_up_and_told_to_nobody_is_lost_and_one_that_was_answered_is_not() {
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
fn a_limit_that_is_raised_lets_waiting_events_begin_and_one_that_is_lowered_holds_them_back() {
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
fn events_of_a_function_that_is_gone_are_kept_and_left_alone() {
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

/// One thing that may happen.
#[derive(Debug, Clone)]
enum Happens {
    Accept,
    /// The try that has run longest ends so.
    Finished(AttemptResult),
    /// The first record on its way is taken, or is not.
    Deliver(bool),
    Wait(Millis),
    /// The host dies and starts again with what was on disk.
    Die,
}

fn happens() -> impl Strategy<Value = Happens> {
    prop_oneof![
        3 => Just(Happens::Accept),
        3 => prop_oneof![Just(AttemptResult::Answered), Just(AttemptResult::Failed), Just(AttemptResult::NotBegun), Just(AttemptResult::Stopped)]
            .prop_map(Happens::Finished),
        2 => any::<bool>().prop_map(Happens::Deliver),
        2 => (0..40_000_i64).prop_map(Happens::Wait),
        1 => Just(Happens::Die),
    ]
}

/// A host around the machine: its disk, what runs, and what was seen from outside.
struct World {
    machine: AsyncMachine,
    now: Millis,
    disk: BTreeMap<EventId, AcceptedEvent>,
    running: Vec<EventId>,
    letters: Vec<(EventId, EventDestination)>,
    failures: BTreeMap<EventId, u32>,
    answered: BTreeMap<EventId, u32>,
    taken: BTreeMap<EventId, Vec<EventDestination>>,
}

impl World {
    fn input(&mut self, input: AsyncInput) {
        for action in step(&mut self.machine, self.now, input) {
            match action {
                AsyncAction::Invoke(id) => {
                    assert!(!self.running.contains(&id), "{id} runs twice at once");
                    assert!(matches!(self.disk[&id].stage, EventStage::Waiting { .. }));
                    self.running.push(id);
                    assert!(self.running.len() <= policy().concurrency);
                }
                AsyncAction::Deliver(id, target) => {
                    assert!(!self.letters.contains(&(id, target.clone())));
                    self.letters.push((id, target));
                }
                AsyncAction::Save(id, entry) => drop(self.disk.insert(id, entry)),
                AsyncAction::Forget(id) => drop(self.disk.remove(&id).expect("forgotten once")),
                AsyncAction::Lost(..) => unreachable!("somebody is to be told"),
            }
        }
    }

    fn finish(&mut self, finish: AttemptResult) {
        if self.running.is_empty() {
            return;
        }
        let id = self.running.remove(0);
        match finish {
            AttemptResult::Failed => *self.failures.entry(id).or_default() += 1,
            AttemptResult::Answered => *self.answered.entry(id).or_default() += 1,
            _ => {}
        }
        self.input(AsyncInput::Finished(id, finish));
    }

    fn deliver(&mut self, taken: bool) {
        if self.letters.is_empty() {
            return;
        }
        let (id, target) = self.letters.remove(0);
        if taken {
            self.taken.entry(id).or_default().push(target.clone());
        }
        self.input(AsyncInput::Delivered(id, target, taken));
    }
}

proptest! {
    #[test]
    fn whatever_happens_every_accepted_event_ends_by_the_rules_and_once(course in prop::collection::vec(happens(), 1..120)) {
        let mut world = World {
            machine: machine(policy()), now: 0, disk: BTreeMap::new(), running: Vec::new(), letters: Vec::new(),
            failures: BTreeMap::new(), answered: BTreeMap::new(), taken: BTreeMap::new(),
        };
        let mut accepted = 0;
        for one in course {
            match one {
                Happens::Accept => {
                    accepted += 1;
                    world.disk.insert(accepted, entry(world.now));
                    world.input(AsyncInput::Accepted(accepted, entry(world.now)));
                }
                Happens::Finished(finish) => world.finish(finish),
                Happens::Deliver(taken) => world.deliver(taken),
                Happens::Wait(time) => {
                    world.now += time;
                    world.input(AsyncInput::Tick);
                }
                Happens::Die => {
                    world.machine = machine(policy());
                    (world.running, world.letters) = (Vec::new(), Vec::new());
                    for (id, entry) in world.disk.clone() {
                        world.input(AsyncInput::Accepted(id, entry));
                    }
                }
            }
        }
        // from here on all goes well
        while !world.disk.is_empty() {
            world.finish(AttemptResult::Answered);
            world.deliver(true);
            if world.running.is_empty() && world.letters.is_empty() && let Some(wake) = world.machine.wake() {
                world.now = world.now.max(wake);
                world.input(AsyncInput::Tick);
            }
        }
        for id in 1..=accepted {
            let failures = world.failures.get(&id).copied().unwrap_or(0);
            let answered = world.answered.get(&id).copied().unwrap_or(0);
            // in whichever order the destinations took it
            let sorted = |mut targets: Vec<EventDestination>| { targets.sort(); targets };
            let told = sorted(world.taken.get(&id).cloned().unwrap_or_default());
            prop_assert!(failures <= 3 && answered <= 1, "{} failures, {} answers", failures, answered);
            prop_assert_ne!(answered == 1, told == sorted(policy().on_failure), "answered, or its failure told, and never both");
        }
    }
}

#[test]
fn what_was_begun_before_a_restart_begins_again() {
    let mut machine = machine(policy());
    assert_eq!(
        step(&mut machine, 0, AsyncInput::Accepted(1, entry(0))),
        [AsyncAction::Invoke(1)]
    );
    let stage = EventStage::Ended {
        condition: Condition::Success,
        at: 0,
        targets: vec![EventDestination::Queue("told".into())],
    };
    let told = AsyncAction::Deliver(2, EventDestination::Queue("told".into()));
    step(
        &mut machine,
        0,
        AsyncInput::Accepted(2, AcceptedEvent { stage, ..entry(0) }),
    );
    assert_eq!(
        step(&mut machine, 10, AsyncInput::Restarted),
        [AsyncAction::Invoke(1), told]
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
