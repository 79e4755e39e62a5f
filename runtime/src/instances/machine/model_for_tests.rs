//! A naive host executes the actions and checks each against what it knows.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use bytes::Bytes;

use super::*;
use crate::faults::Kill;
use crate::instances::failure::End;
use crate::invocation::{FunctionError, Outcome};
use sam_template::model::{Code, Location, Logging, ManagedInstances};

const PROCESSES: usize = 3;
const TIMEOUT: Duration = Duration::from_secs(3);
const SHORTAGE: i32 = 24;
/// Invocations that a process of the third function takes at one time.
const MANAGED: usize = 3;

/// How an invocation must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    Answer,
    Error(&'static str),
    Interrupted,
}

#[derive(Debug, Default)]
pub(super) struct Child {
    /// Calls that the machine was informed of, and that still have a client.
    pub(super) calls: usize,
    pub(super) extensions: BTreeMap<String, bool>,
    pub(super) delivered: BTreeMap<InvocationId, (Instant, Option<Kill>)>,
    /// It has called for several events at a time, or is on managed instances.
    concurrent: bool,
    /// Invocations at one time at most.
    max: usize,
    frozen: bool,
    pub(super) init_failed: bool,
    /// What the signal that it was sent means for its invocations.
    pub(super) signalled: Option<Expected>,
}

pub(super) struct Model {
    pub(super) machine: Machine,
    pub(super) now: Instant,
    pub(super) next_id: u64,
    pub(super) limits: [usize; 3],
    /// Starts that were requested.
    pub(super) starting: BTreeSet<ProcessId>,
    pub(super) children: BTreeMap<ProcessId, Child>,
    /// Processes that were started before, and may be once more.
    known: BTreeSet<ProcessId>,
    /// Invocations without an answer, and the kill that is planned for each.
    pub(super) open: BTreeMap<InvocationId, Option<Kill>>,
    pub(super) given_up: BTreeSet<InvocationId>,
    expected: BTreeMap<InvocationId, Expected>,
    backs_off: [Option<Instant>; 3],
    pub(super) drained: bool,
    /// Invocations may fail without being delivered: a process was never ready.
    never_ready: bool,
}

pub(super) fn pick<T: Clone>(all: impl IntoIterator<Item = T>, number: usize) -> Option<T> {
    let all: Vec<T> = all.into_iter().collect();
    all.get(number % all.len().max(1)).cloned()
}

pub(super) fn function(id: &str) -> Function {
    Function {
        id: id.to_owned(),
        name: id.to_owned(),
        location: Location::default(),
        qualifiers: BTreeSet::new(),
        code: Code::Prebuilt("bootstrap".into()),
        place: String::new(),
        handler: String::new(),
        timeout: TIMEOUT,
        memory_mb: 128,
        concurrency: None,
        managed: None,
        environment: BTreeMap::new(),
        logging: Logging::default(),
    }
}

pub(super) fn managed(max: usize) -> ManagedInstances {
    ManagedInstances {
        max_concurrency: max as u32,
        max_instances: None,
    }
}

pub(super) fn function_error(error_type: &str) -> FunctionError {
    FunctionError {
        error_type: error_type.to_owned(),
        message: String::new(),
        body: Bytes::new(),
    }
}

impl Model {
    pub(super) fn new(freeze: bool) -> Self {
        let now = Instant::now();
        let limits = [2, 3, 2];
        let managed = Function {
            managed: Some(managed(MANAGED)),
            ..function("C")
        };
        let functions = [function("A"), function("B"), managed];
        let functions = functions.into_iter().zip(limits);
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
            backs_off: [None; 3],
            drained: false,
            never_ready: false,
        }
    }

    pub(super) fn input(&mut self, input: Input) {
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
            Action::Reply(invocation, result) => self.answered(&invocation, &result),
            Action::Forget(id) => {
                assert!(self.given_up.contains(&id));
                self.open.remove(&id).expect("forgotten once");
            }
            Action::Log(..)
            | Action::Observe(..)
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
        let kill = self.open[&invocation];
        if child.calls == 0 {
            if kill == Some(Kill::Early) {
                child.signalled = Some(Expected::Error("Runtime.ExitError"));
            }
            return self
                .machine
                .step(self.now, Input::Undelivered(id, invocation, 0));
        }
        child.calls -= 1;
        child.delivered.insert(invocation, (self.now, kill));
        assert!(child.delivered.len() == 1 || child.concurrent);
        assert!(child.delivered.len() <= child.max, "more than it may take");
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

    fn answered(&mut self, invocation: &InvocationId, result: &JobResult) {
        self.open.remove(invocation).expect("answered once");
        let found = match result {
            Ok(Outcome::Answer(_)) => Expected::Answer,
            Ok(Outcome::Interrupted(_)) => Expected::Interrupted,
            Ok(Outcome::Error(error)) => {
                let known = ["Sandbox.Timedout", "Init.Failed", "Oops"].into_iter();
                let kind = known.into_iter().find(|kind| error.error_type == *kind);
                Expected::Error(kind.unwrap_or("Runtime.ExitError"))
            }
            Err(_) => {
                assert!(!self.was_delivered(invocation));
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
    pub(super) fn child(&mut self, number: usize) -> Option<(ProcessId, &mut Child)> {
        let running = self.children.iter().filter(|(_, child)| !child.frozen);
        let id = pick(running.map(|(id, _)| *id), number)?;
        Some((id, self.children.get_mut(&id)?))
    }

    pub(super) fn start(&mut self, number: usize) {
        if let Some(id) = pick(self.starting.clone(), number) {
            self.starting.remove(&id);
            let is_managed = id.function == 2;
            let child = Child {
                concurrent: is_managed,
                max: if is_managed { MANAGED } else { usize::MAX },
                ..Child::default()
            };
            self.children.insert(id, child);
            self.backs_off[id.function] = None;
            self.input(Input::Started(id, 1));
        }
    }

    pub(super) fn start_fails(&mut self, number: usize, host: bool) {
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

    pub(super) fn next(&mut self, number: usize) {
        if let Some((id, child)) = self.child(number) {
            child.calls += 1;
            child.concurrent |= child.calls + child.delivered.len() > 1;
            let open = child.calls;
            self.input(Input::NextCalled(id, open));
        }
    }

    pub(super) fn respond(&mut self, number: usize, fails: bool) {
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

    pub(super) fn exit(&mut self, number: usize, fault: bool) {
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

    /// Time passes, with a tick whenever something is due.
    pub(super) fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(wake) = self.machine.wake().filter(|wake| *wake <= end) {
            self.now = self.now.max(wake);
            self.input(Input::Tick);
            let next = self.machine.wake();
            assert!(
                next.is_none_or(|next| next > self.now),
                "a tick leaves something due"
            );
        }
        self.now = end;
    }
}
