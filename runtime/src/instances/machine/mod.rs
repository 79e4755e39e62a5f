//! Decides which process receives which invocation, and when processes start, freeze and end. Pure:
//! time and identifiers are inputs, effects are actions.
//!
//! [`Machine`] holds all functions of a host, since they share the limit of processes. An input
//! passes through these files: `calls` takes invocations and the calls of processes, and assigns
//! one to the other; `room` starts processes within their limits; `due` applies what is due at a
//! time; `ends` ends processes, and invocations with them. `function` and `process` are the state,
//! `events` the inputs and actions.
//!
//! Guarantees, which the model test checks: an invocation is answered exactly once; there are never
//! more processes than the limits allow, and never more invocations in one than it may take; a
//! frozen process receives nothing; no process of a function starts while it backs off, or after a
//! drain.

mod calls;
#[cfg(test)]
mod case_tests;
mod due;
mod ends;
mod events;
mod function;
#[cfg(test)]
mod limit_tests;
#[cfg(test)]
mod model_for_tests;
#[cfg(test)]
mod model_tests;
mod process;
mod room;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::records::LogLine;
use super::stats::FunctionStats;
use crate::invocation::{Outcome, Rejected};
use crate::observation::{Ended, Failure};
use sam_template::model::Function;

use self::function::FunctionState;
use self::process::{Extension, ProcessState};

pub(super) use events::{Action, Input, InvocationId, Job, JobResult, ProcessId};

/// Extensions of one process at most (Lambda's limit).
const MAX_EXTENSIONS: usize = 10;

/// Why an extension is not registered, with the messages of AWS's emulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotRegistered {
    #[error("Extension registration closed already")]
    Closed,
    #[error("Extension with this name already registered")]
    NameTaken,
    #[error("Extension limit ({MAX_EXTENSIONS}) reached")]
    TooMany,
}

/// What all functions share.
#[derive(Debug, Clone, Copy)]
pub(super) struct MachineSettings {
    /// Processes of all functions at one time at most.
    pub(super) processes: usize,
    /// A process idle for so long is ended.
    pub(super) idle: Duration,
    /// Freeze processes between invocations.
    pub(super) freeze: bool,
}

/// The functions of a host, with their invocations and processes.
#[derive(Debug)]
pub(super) struct Machine {
    settings: MachineSettings,
    functions: Vec<FunctionState>,
    /// Processes that run, or whose start was requested.
    running: usize,
    /// Processes that start once others have ended, oldest first.
    waiting: VecDeque<ProcessId>,
    /// The host drains. Processes that still run then are ended.
    drain: Option<Instant>,
    /// When a shortage was logged last.
    shortage_logged: Option<Instant>,
    /// Nothing is due before.
    wake: Option<Instant>,
    /// Time of the current input.
    now: Instant,
    /// Actions that were not executed yet.
    actions: VecDeque<Action>,
}

impl Machine {
    /// `functions`: each with its concurrency limit.
    pub(super) fn new(
        settings: MachineSettings,
        functions: impl Iterator<Item = (Function, usize)>,
        now: Instant,
    ) -> Self {
        Self {
            settings,
            functions: functions.map(FunctionState::new).collect(),
            running: 0,
            waiting: VecDeque::new(),
            drain: None,
            shortage_logged: None,
            wake: None,
            now,
            actions: VecDeque::new(),
        }
    }

    /// Applies an input and everything that is due at `now`.
    pub(super) fn step(&mut self, now: Instant, input: Input) {
        self.now = now;
        match input {
            Input::Submit(function, job) => self.submit(function, job),
            Input::GivenUp(function, id) => self.given_up(function, &id),
            Input::Started(id, pid) => self.started(id, pid),
            Input::NextCalled(id, open) => self.next_called(id, open),
            Input::Undelivered(id, invocation, open) => self.undelivered(id, &invocation, open),
            Input::Responded(id, invocation, outcome) => self.responded(id, &invocation, outcome),
            Input::ExtensionReady(id, extension) => self.extension_ready(id, &extension),
            Input::InitFailed(id, error) => self.init_failed(id, error),
            Input::ExtensionFailed(id, error) => self.extension_failed(id, error),
            Input::Stop(id) => self.stop(id),
            Input::Exited(id, end) => self.exited(id, end),
            Input::Limit(function, limit) => self.set_limit(function, limit),
            Input::Drain(kill_at) => self.drain(kill_at),
            Input::Tick => {}
        }
        if self.wake.is_some_and(|wake| wake <= now) {
            self.tick();
        }
    }

    /// Takes the oldest action that was not executed yet.
    pub(super) fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When the next [`Input::Tick`] is due at the latest. `None`: nothing is due.
    pub(super) fn wake(&self) -> Option<Instant> {
        self.wake
    }

    /// The host drains, and no process is left.
    pub(super) fn has_drained(&self) -> bool {
        let mut functions = self.functions.iter();
        self.drain.is_some() && functions.all(|function| function.processes.is_empty())
    }

    /// An invocation that came now would not wait for a busy process.
    pub(super) fn is_available(&self, function: usize) -> bool {
        self.functions[function].is_available()
    }

    /// Each function, with its counts since the start.
    pub(super) fn stats(&self, now: Instant) -> impl Iterator<Item = FunctionStats> {
        self.functions.iter().map(move |one| one.stats(now))
    }

    /// Has a tick at this time, or earlier.
    fn wake_at(&mut self, at: Instant) {
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
    }

    fn process(&mut self, id: ProcessId) -> Option<&mut ProcessState> {
        self.functions[id.function].processes.get_mut(&id.number)
    }

    fn log(&mut self, function: usize, request_id: Option<&Arc<str>>, line: LogLine) {
        let action = Action::Log(function, request_id.cloned(), line);
        self.actions.push_back(action);
    }

    fn reject(&mut self, function: usize, job: Job, why: Rejected) {
        let throttled = matches!(why, Rejected::Throttled(_) | Rejected::NoCapacity { .. });
        self.functions[function].counts.throttles += u64::from(throttled);
        self.actions.push_back(Action::Reply(job.id, Err(why)));
    }

    /// Answers an invocation that ran for this time, after an initialisation.
    fn answer(
        &mut self,
        function: usize,
        job: Job,
        outcome: Outcome,
        duration: Duration,
        init: Option<Duration>,
    ) {
        let counts = &mut self.functions[function].counts;
        counts.invocations += 1;
        counts.errors += u64::from(matches!(outcome, Outcome::Error(_)));
        let ms = |duration: Duration| duration.as_secs_f64() * 1000.0;
        let error = outcome.error();
        let ended = Ended {
            at_ms: 0,
            function: String::new(),
            request_id: job.request_id.to_string(),
            trigger: job.trigger,
            records: job.records,
            duration_ms: ms(duration),
            init_ms: init.map(ms),
            error: error.map(|error| Failure::new(&error.error_type, &error.message)),
        };
        self.actions.push_back(Action::Observe(function, ended));
        self.actions.push_back(Action::Reply(job.id, Ok(outcome)));
    }

    /// Changes the concurrency limit. A busy process above it ends with its next call.
    fn set_limit(&mut self, function: usize, limit: usize) {
        self.functions[function].limit = limit;
        self.fill_all(function);
        while self.start_if_needed(function, None) {}
        // the longest idle first
        for number in self.functions[function].idle.clone() {
            let state = &self.functions[function];
            let kept = state.processes.values().filter(|one| one.end().is_none());
            let surplus = kept.count() > state.limit;
            let process = state.processes.get(&number);
            if surplus && process.is_some_and(ProcessState::is_free) {
                self.stop(ProcessId { function, number });
            }
        }
        self.make_room();
        self.actions.push_back(Action::Freed(function));
    }

    /// Rejects what is queued and accepts no more. Idle processes end now, others when they have
    /// finished, and all that are left at `kill_at`.
    fn drain(&mut self, kill_at: Instant) {
        let kill_at = self.drain.map_or(kill_at, |earlier| earlier.min(kill_at));
        self.drain = Some(kill_at);
        self.wake_at(kill_at);
        for function in 0..self.functions.len() {
            for job in std::mem::take(&mut self.functions[function].queue) {
                self.reject(function, job, Rejected::ShuttingDown);
            }
        }
        for id in self.process_ids() {
            if self.process(id).is_some_and(|process| process.is_free()) {
                self.stop(id);
            }
        }
    }

    fn process_ids(&self) -> Vec<ProcessId> {
        let functions = self.functions.iter().enumerate();
        let ids = functions.flat_map(|(function, state)| {
            let numbers = state.processes.keys();
            numbers.map(move |number| ProcessId {
                function,
                number: *number,
            })
        });
        ids.collect()
    }
}

/// What the calls of a process need before they are answered.
impl Machine {
    fn read(&self, id: ProcessId) -> Option<&ProcessState> {
        self.functions[id.function].processes.get(&id.number)
    }

    /// The invocation in flight that an answer belongs to. `None`: the answer is late, or the
    /// second one.
    pub(super) fn in_flight(
        &self,
        id: ProcessId,
        request_id: &str,
        invocation: Option<&str>,
    ) -> Option<InvocationId> {
        let mut entries = self.read(id)?.in_flight.iter();
        let found = entries.find(|(known, entry)| {
            *entry.job.request_id == *request_id && invocation.is_none_or(|id| *id == ***known)
        });
        found.map(|(id, _)| id.clone())
    }

    /// The request that a line of output most likely belongs to: the only one in flight, else the
    /// last one. (A pipe is read later than the answer that followed what was written to it.) On
    /// managed instances none: the line may be of any of several.
    pub(super) fn current_request(&self, id: ProcessId) -> Option<Arc<str>> {
        let process = self.read(id)?;
        if process.max_events.is_some() {
            return None;
        }
        let mut in_flight = process.in_flight.values();
        match (in_flight.next(), in_flight.next()) {
            (None, _) => process.last_request.clone(),
            (Some(entry), None) => Some(entry.job.request_id.clone()),
            (Some(_), Some(_)) => None,
        }
    }

    /// Whether an answer belongs to an invocation that ran out of time; true once for each.
    pub(super) fn take_late(
        &mut self,
        id: ProcessId,
        request_id: &str,
        invocation: Option<&str>,
    ) -> bool {
        let late = self.process(id).map(|process| &mut process.late);
        late.is_some_and(|late| {
            let at = late.iter().position(|(known, request)| {
                **request == *request_id && invocation.is_none_or(|id| *id == **known)
            });
            at.and_then(|at| late.remove(at)).is_some()
        })
    }

    /// Whether a registered extension has requested its first event.
    pub(super) fn extension(&self, id: ProcessId, extension: &str) -> Option<bool> {
        let extension = self.read(id)?.extensions.get(extension)?;
        Some(extension.ready)
    }

    /// Registers an extension under a new identifier. Once initialisation has ended this fails,
    /// unless the request was `sent_before`: a runtime library may register and request its first
    /// event on two connections at the same time.
    pub(super) fn register(
        &mut self,
        id: ProcessId,
        name: String,
        identifier: String,
        sent_before: Option<Instant>,
    ) -> Result<(), NotRegistered> {
        let process = self.process(id).ok_or(NotRegistered::Closed)?;
        if let Some(ready) = process.ready_since
            && sent_before.is_none_or(|sent| sent > ready)
        {
            return Err(NotRegistered::Closed);
        }
        if process.extensions.len() >= MAX_EXTENSIONS {
            return Err(NotRegistered::TooMany);
        }
        let mut known = process.extensions.values();
        if known.any(|extension| extension.name == name) {
            return Err(NotRegistered::NameTaken);
        }
        let extension = Extension { name, ready: false };
        process.extensions.insert(identifier, extension);
        Ok(())
    }
}
