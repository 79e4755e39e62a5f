//! Random runs with restarts of the host in between.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::machine_tests::{entry, machine, policy, step};
use super::*;

/// An event of a random run.
#[derive(Debug, Clone)]
enum Event {
    Accept,
    /// The oldest attempt ends.
    Finished(AttemptResult),
    /// The oldest delivery ends.
    Deliver(bool),
    Wait(Millis),
    /// The host is killed and starts again with its store.
    Restart,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => Just(Event::Accept),
        3 => prop::sample::select(vec![
            AttemptResult::Answered,
            AttemptResult::Failed,
            AttemptResult::NotBegun,
            AttemptResult::Stopped,
        ])
        .prop_map(Event::Finished),
        2 => any::<bool>().prop_map(Event::Deliver),
        2 => (0..40_000_i64).prop_map(Event::Wait),
        1 => Just(Event::Restart),
    ]
}

/// A host: its store, what is in progress, and the observed results.
struct Model {
    machine: AsyncMachine,
    now: Millis,
    store: BTreeMap<EventId, AcceptedEvent>,
    running: Vec<EventId>,
    deliveries: Vec<(EventId, EventDestination)>,
    failures: BTreeMap<EventId, u32>,
    answered: BTreeMap<EventId, u32>,
    taken: BTreeMap<EventId, Vec<EventDestination>>,
}

impl Model {
    fn input(&mut self, input: AsyncInput) {
        for action in step(&mut self.machine, self.now, input) {
            match action {
                AsyncAction::Invoke(id) => {
                    assert!(!self.running.contains(&id), "{id} runs twice at once");
                    assert!(matches!(self.store[&id].stage, EventStage::Waiting { .. }));
                    self.running.push(id);
                    assert!(self.running.len() <= policy().concurrency);
                }
                AsyncAction::Deliver(id, target) => {
                    assert!(!self.deliveries.contains(&(id, target.clone())));
                    self.deliveries.push((id, target));
                }
                AsyncAction::Save(id, entry) => drop(self.store.insert(id, entry)),
                AsyncAction::Forget(id) => drop(self.store.remove(&id).expect("removed once")),
                AsyncAction::Lost(..) => unreachable!("every event has a destination"),
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
        if self.deliveries.is_empty() {
            return;
        }
        let (id, target) = self.deliveries.remove(0);
        if taken {
            self.taken.entry(id).or_default().push(target.clone());
        }
        self.input(AsyncInput::Delivered(id, target, taken));
    }
}

proptest! {
    #[test]
    fn every_accepted_event_ends_once(course in prop::collection::vec(event(), 1..120)) {
        let mut model = Model {
            machine: machine(policy()),
            now: 0,
            store: BTreeMap::new(),
            running: Vec::new(),
            deliveries: Vec::new(),
            failures: BTreeMap::new(),
            answered: BTreeMap::new(),
            taken: BTreeMap::new(),
        };
        let mut accepted = 0;
        for event in course {
            match event {
                Event::Accept => {
                    accepted += 1;
                    model.store.insert(accepted, entry(model.now));
                    model.input(AsyncInput::Accepted(accepted, entry(model.now)));
                }
                Event::Finished(finish) => model.finish(finish),
                Event::Deliver(taken) => model.deliver(taken),
                Event::Wait(time) => {
                    model.now += time;
                    model.input(AsyncInput::Tick);
                }
                Event::Restart => {
                    model.machine = machine(policy());
                    model.running.clear();
                    model.deliveries.clear();
                    for (id, entry) in model.store.clone() {
                        model.input(AsyncInput::Accepted(id, entry));
                    }
                }
            }
        }
        // from here on every attempt succeeds
        while !model.store.is_empty() {
            model.finish(AttemptResult::Answered);
            model.deliver(true);
            if model.running.is_empty()
                && model.deliveries.is_empty()
                && let Some(wake) = model.machine.wake()
            {
                model.now = model.now.max(wake);
                model.input(AsyncInput::Tick);
            }
        }
        for id in 1..=accepted {
            let failures = model.failures.get(&id).copied().unwrap_or(0);
            let answered = model.answered.get(&id).copied().unwrap_or(0);
            // in any order
            let sorted = |mut targets: Vec<EventDestination>| { targets.sort(); targets };
            let delivered = sorted(model.taken.get(&id).cloned().unwrap_or_default());
            prop_assert!(failures <= 3, "{failures} failures");
            prop_assert!(answered <= 1, "{answered} answers");
            prop_assert_ne!(
                answered == 1,
                delivered == sorted(policy().on_failure),
                "either answered or delivered as a failure"
            );
        }
    }
}
