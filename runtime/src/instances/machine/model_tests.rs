//! Random runs of a host. Processes crash, hang, fail to start and report errors; their calls get
//! lost; limits change; the host is short of files, loses processes, and drains.

use proptest::prelude::*;

use super::model_for_tests::{Child, Model, function_error, pick};
use super::*;
use crate::faults::Kill;

/// Something that happens. Numbers select one of what exists.
#[derive(Debug, Clone, Copy)]
enum Event {
    Submit(usize, bool, Option<u64>, Option<Kill>),
    GiveUp(usize),
    /// A requested start succeeds.
    Start(usize),
    /// A requested start fails: for the host's reasons, or the executable's.
    StartFails(usize, bool),
    Next(usize),
    /// The clients of the calls that wait are gone.
    LoseCalls(usize),
    Register(usize),
    ExtensionReady(usize),
    Respond(usize, bool),
    InitFails(usize),
    /// A process ends: by itself, after a signal, or by a fault of the host.
    Exit(usize, bool),
    Limit(usize, usize),
    Wait(u64),
    Drain(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let one = 0..8_usize;
    let kill = prop::option::weighted(0.1, prop::sample::select(vec![Kill::Early, Kill::Late]));
    let start_by = prop::option::weighted(0.2, 0..2_000_u64);
    prop_oneof![
        12 => (0..3_usize, any::<bool>(), start_by, kill)
            .prop_map(|(function, queue, by, kill)| Event::Submit(function, queue, by, kill)),
        1 => one.clone().prop_map(Event::GiveUp),
        10 => one.clone().prop_map(Event::Start),
        1 => (one.clone(), any::<bool>()).prop_map(|(one, host)| Event::StartFails(one, host)),
        16 => one.clone().prop_map(Event::Next),
        1 => one.clone().prop_map(Event::LoseCalls),
        1 => one.clone().prop_map(Event::Register),
        2 => one.clone().prop_map(Event::ExtensionReady),
        8 => (one.clone(), any::<bool>()).prop_map(|(one, fails)| Event::Respond(one, fails)),
        1 => one.clone().prop_map(Event::InitFails),
        4 => (one.clone(), prop::bool::weighted(0.1))
            .prop_map(|(one, fault)| Event::Exit(one, fault)),
        1 => (0..3_usize, 1..4_usize).prop_map(|(function, limit)| Event::Limit(function, limit)),
        5 => (0..400_u64).prop_map(Event::Wait),
        2 => (400..15_000_u64).prop_map(Event::Wait),
        // the longest initialisation on managed instances
        1 => Just(Event::Wait(130_000)),
        1 => prop::bool::weighted(0.1)
            .prop_flat_map(|drains| if drains { 0..5_000_u64 } else { 5_000..5_001 })
            .prop_map(|ms| if ms < 5_000 { Event::Drain(ms) } else { Event::Wait(1) }),
    ]
}

impl Model {
    fn apply(&mut self, event: Event) {
        match event {
            Event::Submit(function, queue_at_limit, start_by, kill) => {
                self.next_id += 1;
                let id = InvocationId::from(self.next_id.to_string());
                self.open.insert(id.clone(), kill);
                let job = Job {
                    request_id: id.clone(),
                    id,
                    trigger: crate::invocation::Trigger::Invoke,
                    records: 0,
                    kill,
                    queue_at_limit,
                    start_by: start_by.map(|ms| self.now + Duration::from_millis(ms)),
                };
                self.input(Input::Submit(function, job));
            }
            Event::GiveUp(number) => {
                if let Some(id) = pick(self.open.keys().cloned(), number) {
                    self.given_up.insert(id.clone());
                    self.input(Input::GivenUp(0, id.clone()));
                    self.input(Input::GivenUp(1, id.clone()));
                    self.input(Input::GivenUp(2, id));
                }
            }
            Event::Start(number) => self.start(number),
            Event::StartFails(number, host) => self.start_fails(number, host),
            Event::Next(number) => self.next(number),
            Event::LoseCalls(number) => {
                if let Some((_, child)) = self.child(number) {
                    child.calls = 0;
                }
            }
            Event::Register(number) => {
                let now = self.now;
                if let Some((id, _)) = self.child(number)
                    && let registered = self.machine.register(id, "e".into(), "e".into(), None)
                    && registered.is_ok()
                {
                    self.children
                        .get_mut(&id)
                        .unwrap()
                        .extensions
                        .insert("e".into(), false);
                    assert!(self.now == now);
                }
            }
            Event::ExtensionReady(number) => {
                if let Some((id, child)) = self.child(number)
                    && let Some(ready) = child.extensions.get_mut("e")
                {
                    *ready = true;
                    self.input(Input::ExtensionReady(id, "e".into()));
                }
            }
            Event::Respond(number, fails) => self.respond(number, fails),
            Event::InitFails(number) => {
                if let Some((id, child)) = self.child(number) {
                    child.init_failed = true;
                    let error = function_error("Init.Failed");
                    self.input(Input::InitFailed(id, error));
                }
            }
            Event::Exit(number, fault) => self.exit(number, fault),
            Event::Limit(function, limit) => {
                self.limits[function] = limit;
                self.input(Input::Limit(function, limit));
            }
            Event::Wait(ms) => self.wait(Duration::from_millis(ms)),
            Event::Drain(ms) => {
                self.drained = true;
                self.input(Input::Drain(self.now + Duration::from_millis(ms)));
            }
        }
    }

    /// Every process works from here on: all invocations are answered.
    fn calm(&mut self) {
        for _ in 0..400 {
            if self.open.is_empty() {
                return;
            }
            self.start(0);
            for number in 0..self.children.len() {
                self.apply(Event::ExtensionReady(number));
                self.respond(number, false);
            }
            let ended = |child: &Child| child.signalled.is_some() || child.init_failed;
            if let Some(at) = self.children.values().position(ended) {
                self.exit(at, false);
            }
            for number in 0..self.children.len() {
                if self.child(number).is_some_and(|(_, child)| {
                    child.calls == 0 && child.delivered.is_empty() && child.signalled.is_none()
                }) {
                    self.next(number);
                }
            }
            self.wait(Duration::from_millis(100));
        }
        panic!("without an answer: {:?}, {:?}", self.open, self.machine);
    }

    fn end(&mut self) {
        self.apply(Event::Drain(1_000));
        for _ in 0..100 {
            while !self.starting.is_empty() {
                self.start(0);
            }
            while let Some(at) = self
                .children
                .values()
                .position(|one| one.signalled.is_some())
            {
                self.exit(at, false);
            }
            self.wait(Duration::from_millis(100));
        }
        assert!(self.machine.has_drained() && self.children.is_empty());
        assert!(self.open.is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn every_invocation_is_answered_once(
        course in prop::collection::vec(event(), 1..150),
        freeze in any::<bool>(),
        drains in any::<bool>(),
    ) {
        let mut model = Model::new(freeze);
        for event in course {
            model.apply(event);
        }
        if !drains {
            model.calm();
        }
        model.end();
    }
}
