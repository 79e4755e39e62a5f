//! Random runs: a naive host executes the actions and checks each against what it knows. Processes
//! crash, hang, fail to start and report errors; their calls get lost; limits change; the host is
//! short of files, loses processes, and drains.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::faults::Kill;
use crate::instances::failure::End;
use crate::invocation::{FunctionError, Outcome};

const PROCESSES: usize = 3;
const TIMEOUT: Duration = Duration::from_secs(3);
const SHORTAGE: i32 = 24;

/// Something that happens. Numbers select one of what exists.
#[derive(Debug, Clone)]
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
        12 => (0..2_usize, any::<bool>(), start_by, kill)
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
        1 => (0..2_usize, 1..4_usize).prop_map(|(function, limit)| Event::Limit(function, limit)),
        5 => (0..400_u64).prop_map(Event::Wait),
        2 => (400..15_000_u64).prop_map(Event::Wait),
        1 => prop::bool::weighted(0.1)
            .prop_flat_map(|drains| if drains { 0..5_000_u64 } else { 5_000..5_001 })
            .prop_map(|ms| if ms < 5_000 { Event::Drain(ms) } else { Event::Wait(1) }),
    ]
}

/// How an invocation must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    Answer,
    Error(&'static str),
    Interrupted,
}

#[derive(Debug, Default)]
struct Child {
    /// Calls that the machine was informed of, and that still have a client.
    calls: usize,
    extensions: BTreeMap<String, bool>,
    delivered: BTreeMap<InvocationId, (Instant, Option<Kill>)>,
    /// It has called for several events at a time.
    concurrent: bool,
    frozen: bool,
    init_failed: bool,
    /// What the signal that it was sent means for its invocations.
    signalled: Option<Expected>,
}

struct Model {
    machine: Machine,
    now: Instant,
    next_id: u64,
    limits: [usize; 2],
    /// Starts that were requested.
    starting: BTreeSet<ProcessId>,
    children: BTreeMap<ProcessId, Child>,
    /// Processes that were started before, and may be once more.
    known: BTreeSet<ProcessId>,
    /// Invocations without an answer, and the kill that is planned for each.
    open: BTreeMap<InvocationId, Option<Kill>>,
    given_up: BTreeSet<InvocationId>,
    expected: BTreeMap<InvocationId, Expected>,
    backs_off: [Option<Instant>; 2],
    drained: bool,
    /// Invocations may fail without being delivered: a process was never ready.
    never_ready: bool,
}

fn pick<T: Clone>(all: impl IntoIterator<Item = T>, number: usize) -> Option<T> {
    let all: Vec<T> = all.into_iter().collect();
    all.get(number % all.len().max(1)).cloned()
}

fn function_error(error_type: &str) -> FunctionError {
    FunctionError {
        error_type: error_type.to_owned(),
        message: String::new(),
        body: Bytes::new(),
    }
}

impl Model {
    fn new(freeze: bool) -> Self {
        let now = Instant::now();
        let limits = [2, 3];
        let functions = ["A", "B"].iter().zip(limits);
        let functions = functions.map(|(name, limit)| FunctionSettings {
            name: (*name).to_owned(),
            timeout: TIMEOUT,
            memory_mb: 128,
            limit,
            reserved: None,
        });
        let settings = MachineSettings {
            processes: PROCESSES,
            idle: Duration::from_mins(1),
            freeze,
        };
        Self {
            machine: Machine::new(settings, functions, now),
            now,
            next_id: 0,
            limits,
            starting: BTreeSet::new(),
            children: BTreeMap::new(),
            known: BTreeSet::new(),
            open: BTreeMap::new(),
            given_up: BTreeSet::new(),
            expected: BTreeMap::new(),
            backs_off: [None; 2],
            drained: false,
            never_ready: false,
        }
    }

    fn input(&mut self, input: Input) {
        self.machine.step(self.now, input);
        while let Some(action) = self.machine.next_action() {
            self.execute(action);
        }
    }

    fn execute(&mut self, action: Action) {
        match action {
            Action::Start(id) => self.check_start(id),
            Action::Deliver(id, invocation) => self.deliver(id, invocation),
            Action::Freeze(id) => {
                let child = self.children.get_mut(&id).unwrap();
                assert!(child.delivered.is_empty() && !child.concurrent);
                child.frozen = true;
            }
            Action::Thaw(id) => self.children.get_mut(&id).unwrap().frozen = false,
            Action::Terminate(id) => {
                assert!(!self.children[&id].extensions.is_empty());
                self.signalled(id);
            }
            Action::Kill(id) => self.signalled(id),
            Action::Ended(id) => {
                assert!(!self.children.contains_key(&id) && !self.starting.contains(&id));
            }
            Action::Reply(reply) => self.answered(&reply),
            Action::Forget(id) => {
                assert!(self.given_up.contains(&id));
                self.open.remove(&id).expect("forgotten once");
            }
            Action::Log(..)
            | Action::Freed(_)
            | Action::Shortage(..)
            | Action::Fault(..)
            | Action::Recovered(_) => {}
        }
    }

    fn check_start(&mut self, id: ProcessId) {
        assert!(!self.drained, "{id:?} starts after the drain");
        let live = |of: &dyn Fn(&&ProcessId) -> bool| {
            self.starting.iter().filter(of).count() + self.children.keys().filter(of).count()
        };
        assert!(live(&|_| true) < PROCESSES, "more processes than the limit");
        if self.known.insert(id) {
            let own = live(&|other| other.function == id.function);
            assert!(own < self.limits[id.function], "above the limit of {id:?}");
            let back = self.backs_off[id.function];
            assert!(
                back.is_none_or(|until| self.now >= until),
                "{id:?} starts too early"
            );
        }
        assert!(self.starting.insert(id));
    }

    fn deliver(&mut self, id: ProcessId, invocation: InvocationId) {
        let child = self.children.get_mut(&id).expect("a started process");
        assert!(!child.frozen, "a frozen process receives nothing");
        assert!(child.signalled.is_none() && !child.init_failed);
        assert!(child.extensions.values().all(|ready| *ready));
        if child.calls == 0 {
            return self
                .machine
                .step(self.now, Input::Undelivered(id, invocation));
        }
        child.calls -= 1;
        let kill = self.open[&invocation];
        child.delivered.insert(invocation, (self.now, kill));
        assert!(child.delivered.len() == 1 || child.concurrent);
    }

    fn signalled(&mut self, id: ProcessId) {
        let now = self.now;
        let child = self.children.get_mut(&id).expect("a started process");
        let entries = child.delivered.values();
        let planned = entries.clone().any(|(_, kill)| *kill == Some(Kill::Early));
        let mut late = entries.filter(|(started, _)| now >= *started + TIMEOUT);
        child.signalled.get_or_insert(if planned {
            Expected::Error("Runtime.ExitError")
        } else if !child.concurrent && late.next().is_some() {
            Expected::Error("Sandbox.Timedout")
        } else {
            Expected::Interrupted
        });
    }

    fn answered(&mut self, reply: &Reply) {
        let invocation = &reply.invocation;
        self.open.remove(invocation).expect("answered once");
        let found = match &reply.result {
            Ok(Outcome::Answer(_)) => Expected::Answer,
            Ok(Outcome::Interrupted(_)) => Expected::Interrupted,
            Ok(Outcome::Error(error)) => {
                let known = ["Sandbox.Timedout", "Init.Failed", "Oops"].into_iter();
                let kind = known.into_iter().find(|kind| error.error_type == *kind);
                Expected::Error(kind.unwrap_or("Runtime.ExitError"))
            }
            Err(_) => {
                assert!(reply.run.is_none() && !self.was_delivered(invocation));
                return;
            }
        };
        if let Some(expected) = self.expected.remove(invocation) {
            return assert_eq!(found, expected);
        }
        let now = self.now;
        let children = self.children.values_mut();
        let mut running = children.filter(|child| child.delivered.contains_key(invocation));
        if let Some(child) = running.next() {
            let (started, _) = child.delivered.remove(invocation).unwrap();
            assert!(
                child.concurrent && now >= started + TIMEOUT,
                "the process lives"
            );
            assert_eq!(found, Expected::Error("Sandbox.Timedout"));
        } else {
            assert!(self.never_ready, "{found:?} without a delivery");
        }
    }

    fn was_delivered(&self, invocation: &InvocationId) -> bool {
        let mut children = self.children.values();
        self.expected.contains_key(invocation)
            || children.any(|child| child.delivered.contains_key(invocation))
    }

    /// A running process that the event may happen to: one that is not stopped.
    fn child(&mut self, number: usize) -> Option<(ProcessId, &mut Child)> {
        let running = self.children.iter().filter(|(_, child)| !child.frozen);
        let id = pick(running.map(|(id, _)| *id), number)?;
        Some((id, self.children.get_mut(&id)?))
    }

    fn start(&mut self, number: usize) {
        if let Some(id) = pick(self.starting.clone(), number) {
            self.starting.remove(&id);
            self.children.insert(id, Child::default());
            self.backs_off[id.function] = None;
            self.input(Input::Started(id, 1));
        }
    }

    fn start_fails(&mut self, number: usize, host: bool) {
        let Some(id) = pick(self.starting.clone(), number) else {
            return;
        };
        self.starting.remove(&id);
        if host {
            let back = &mut self.backs_off[id.function];
            let pause = Duration::from_millis(100);
            let still = back.filter(|until| self.now < *until);
            *back = Some(still.unwrap_or(self.now + pause));
            let end = End::Shortage(io::Error::from_raw_os_error(SHORTAGE));
            return self.input(Input::Exited(id, end));
        }
        self.never_ready = true;
        let end = End::CannotRun {
            executable: "/nowhere".into(),
            error: io::Error::other("gone"),
        };
        self.input(Input::Exited(id, end));
        self.never_ready = false;
    }

    fn next(&mut self, number: usize) {
        if let Some((id, child)) = self.child(number) {
            child.calls += 1;
            child.concurrent |= child.calls + child.delivered.len() > 1;
            self.input(Input::NextCalled(id));
        }
    }

    fn respond(&mut self, number: usize, fails: bool) {
        let Some((id, child)) = self.child(number) else {
            return;
        };
        let Some((invocation, kill)) = pick(
            child
                .delivered
                .iter()
                .map(|(id, (_, kill))| (id.clone(), *kill)),
            number,
        ) else {
            return;
        };
        if kill == Some(Kill::Late) && child.signalled.is_none() {
            child.signalled = Some(Expected::Error("Runtime.ExitError"));
        }
        let outcome = if fails {
            Outcome::Error(function_error("Oops"))
        } else {
            Outcome::Answer(Bytes::new())
        };
        let lost = child.signalled == Some(Expected::Error("Runtime.ExitError"));
        if !lost && kill != Some(Kill::Late) {
            child.delivered.remove(&invocation);
            let expected = if fails {
                Expected::Error("Oops")
            } else {
                Expected::Answer
            };
            self.expected.insert(invocation.clone(), expected);
        }
        self.input(Input::Responded(id, invocation.clone(), outcome));
        assert!(!self.expected.contains_key(&invocation), "answered at once");
    }

    fn exit(&mut self, number: usize, fault: bool) {
        let Some(id) = pick(self.children.keys().copied(), number) else {
            return;
        };
        let child = self.children.remove(&id).unwrap();
        let expected = match child.signalled {
            _ if fault => Expected::Interrupted,
            _ if child.init_failed => Expected::Error("Init.Failed"),
            Some(expected) => expected,
            None => Expected::Error("Runtime.ExitError"),
        };
        for invocation in child.delivered.into_keys() {
            self.expected.insert(invocation, expected);
        }
        let end = if fault {
            let (why, ran) = ("on purpose".to_owned(), Duration::ZERO);
            End::HostFault { why, ran }
        } else {
            End::Exited("exit status 1".to_owned())
        };
        self.never_ready = true;
        self.input(Input::Exited(id, end));
        self.never_ready = false;
        assert!(
            self.expected.is_empty(),
            "{:?} without an answer",
            self.expected
        );
    }

    fn apply(&mut self, event: Event) {
        match event {
            Event::Submit(function, queue_at_limit, start_by, kill) => {
                self.next_id += 1;
                let id = InvocationId::from(self.next_id.to_string());
                self.open.insert(id.clone(), kill);
                let job = Job {
                    request_id: id.clone(),
                    id,
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
                    self.input(Input::GivenUp(1, id));
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

    /// Time passes, with a tick whenever something is due.
    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(wake) = self.machine.wake().filter(|wake| *wake <= end) {
            assert!(wake > self.now || self.machine.wake() == Some(wake));
            self.now = self.now.max(wake);
            self.input(Input::Tick);
        }
        self.now = end;
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
        assert!(self.machine.is_empty() && self.children.is_empty());
        assert!(self.open.is_empty());
    }
}

proptest! {
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
