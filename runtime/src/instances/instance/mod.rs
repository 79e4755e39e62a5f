//! One process and its obligations: its invocations in flight, its deadlines, its end.
//!
//! The state that the Runtime API's handlers and the supervisor share. `completion` ends
//! invocations, `deadlines` returns what is due, `extension` registers extensions, `view` reads the
//! state. An instance starts and ends no process itself.

mod completion;
mod deadlines;
mod extension;
mod view;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::{Notify, oneshot};

use super::dispatch::{Slot, Worker};
use super::freezer::Freezer;
use super::job::{Assignment, Job, JobResult};
use super::records::{LogLine, PhaseStatus};
use super::runner::Runner;
use super::stats::InstanceStats;
use crate::clock::epoch_ms;
use crate::faults::Kill;
use crate::ids::new_id;
use crate::invocation::FunctionError;

pub(super) use deadlines::Due;
pub(super) use extension::{Extension, NotRegistered};

#[derive(Debug)]
struct InFlight {
    invocation_id: String,
    started: Instant,
    records: usize,
    init: Option<Duration>,
    kill: Option<Kill>,
    reply: oneshot::Sender<JobResult>,
}

#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the flags are independent of each other"
)]
struct State {
    pid: Option<u32>,
    starting_since: Instant,
    ready: bool,
    stopping: bool,
    /// Killed on purpose, by the plan of faults.
    killed: bool,
    freezer: Freezer,
    init: Option<Duration>,
    init_error: Option<FunctionError>,
    /// When it first became ready.
    ready_since: Option<Instant>,
    /// By identifier.
    extensions: BTreeMap<String, Extension>,
    /// `next` calls that arrived before initialisation was complete.
    early_calls: Vec<oneshot::Sender<Assignment>>,
    /// `next` calls that wait for an event.
    waiting_calls: usize,
    in_flight: BTreeMap<Arc<str>, InFlight>,
    last_request: Option<Arc<str>>,
    idle_since: Instant,
    /// It has answered, and its next call is expected by then.
    return_by: Option<Instant>,
    /// Takes several events at a time: a deadline then fails the invocation, not the process.
    concurrent: bool,
    invocations: u64,
    errors: u64,
}

/// One process, as its Runtime API and its supervisor see it.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) id: u64,
    pub(super) runner: Arc<Runner>,
    /// Wakes the supervisor: deadlines changed.
    pub(super) changed: Notify,
    state: Mutex<State>,
}

impl Instance {
    pub(super) fn new(id: u64, runner: Arc<Runner>) -> Arc<Self> {
        let now = Instant::now();
        Arc::new(Self {
            id,
            runner,
            changed: Notify::new(),
            state: Mutex::new(State {
                pid: None,
                starting_since: now,
                ready: false,
                stopping: false,
                killed: false,
                freezer: Freezer::default(),
                init: None,
                init_error: None,
                ready_since: None,
                extensions: BTreeMap::new(),
                early_calls: Vec::new(),
                waiting_calls: 0,
                in_flight: BTreeMap::new(),
                last_request: None,
                idle_since: now,
                return_by: None,
                concurrent: false,
                invocations: 0,
                errors: 0,
            }),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A process runs under this instance; registrations of an earlier one are void.
    pub(super) fn process_started(&self, pid: u32) {
        let mut state = self.state();
        state.pid = Some(pid);
        state.starting_since = Instant::now();
        state.ready_since = None;
        state.extensions.clear();
        state.early_calls.clear();
        drop(state);
        self.runner.log.write(None, LogLine::InitStart);
    }

    /// A `next` call of the runtime.
    pub(super) fn next(self: &Arc<Self>) -> oneshot::Receiver<Assignment> {
        let (call, receiver) = oneshot::channel();
        let mut state = self.state();
        state.early_calls.push(call);
        self.offer_when_ready(state);
        receiver
    }

    /// Initialisation ends when the runtime and every extension have called for an event.
    fn offer_when_ready(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        if state.stopping
            || state.early_calls.is_empty()
            || state.extensions.values().any(|extension| !extension.ready)
        {
            return;
        }
        let first = !std::mem::replace(&mut state.ready, true);
        let init = state.starting_since.elapsed();
        if first {
            state.init = Some(init);
            state.ready_since = Some(Instant::now());
        }
        let calls = std::mem::take(&mut state.early_calls);
        state.waiting_calls += calls.len();
        state.concurrent |= state.waiting_calls + state.in_flight.len() > 1;
        state.idle_since = Instant::now();
        state.return_by = None;
        if self.runner.freeze && state.in_flight.is_empty() {
            let pid = state.pid;
            state.freezer.freeze(pid);
        }
        drop(state);
        if first {
            self.runner.log.write(
                None,
                LogLine::InitEnd {
                    duration: init,
                    status: PhaseStatus::Success,
                },
            );
            self.runner.dispatcher.initialised();
        }
        for call in calls {
            self.runner.dispatcher.offer(Slot {
                worker: self.clone(),
                call,
            });
        }
        self.changed.notify_one();
    }

    /// The function reported why it cannot start.
    pub(super) fn report_init_error(&self, error: FunctionError) {
        self.state().init_error = Some(error);
    }

    /// Gives an idle instance no further event. False if it is busy.
    pub(super) fn retire(&self) -> bool {
        let mut state = self.state();
        if !state.in_flight.is_empty() {
            return false;
        }
        state.stopping = true;
        drop(state);
        self.runner.dispatcher.withdraw(self.id);
        true
    }
}

impl Worker for Instance {
    fn id(&self) -> u64 {
        self.id
    }

    fn assign(self: Arc<Self>, job: Job, call: oneshot::Sender<Assignment>) -> Result<(), Job> {
        let mut state = self.state();
        state.waiting_calls = state.waiting_calls.saturating_sub(1);
        if state.stopping || call.is_closed() {
            return Err(job);
        }
        let invocation_id = new_id();
        let assignment = Assignment {
            request_id: job.request_id.clone(),
            invocation_id: invocation_id.clone(),
            deadline_ms: epoch_ms(SystemTime::now() + self.runner.function.timeout),
            trace_id: job.trace_id.clone(),
            client_context: job.client_context.clone(),
            qualifier: job.qualifier.clone(),
            payload: job.payload.clone(),
        };
        let pid = state.pid;
        state.freezer.thaw(pid);
        // the lock is held until the job is in flight, so that an answer finds it there
        if call.send(assignment).is_err() {
            return Err(job);
        }
        let init = state.init.take();
        state.in_flight.insert(
            job.request_id.clone(),
            InFlight {
                invocation_id,
                started: Instant::now(),
                records: job.records,
                init,
                kill: job.kill,
                reply: job.reply,
            },
        );
        state.invocations += 1;
        state.killed |= job.kill == Some(Kill::Early);
        drop(state);
        if let Some(begun) = job.begun {
            begun.notify_one();
        }
        self.runner.log.write(Some(&job.request_id), LogLine::Start);
        self.changed.notify_one();
        Ok(())
    }

    fn is_busy(&self) -> bool {
        !self.state().in_flight.is_empty()
    }

    fn idle_since(&self) -> Option<Instant> {
        let state = self.state();
        (state.in_flight.is_empty() && !state.stopping).then_some(state.idle_since)
    }

    fn stop_if_idle(&self) {
        if self.retire() {
            self.changed.notify_one();
        }
    }

    fn stop(&self) {
        self.state().stopping = true;
        self.runner.dispatcher.withdraw(self.id);
        self.changed.notify_one();
    }

    fn stats(&self) -> InstanceStats {
        self.snapshot()
    }
}
