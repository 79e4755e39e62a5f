//! One process and what it owes: its invocations in flight, its deadlines, its end.
//!
//! The state that the Runtime API's handlers and the supervisor share; `view` says what it is now. It starts and ends nothing itself.

mod extension;
mod view;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::{Notify, oneshot};

use super::dispatch::{Assignment, Job, Reply, Slot};
use super::failure;
use super::freezer::Freezer;
use super::observed;
use super::pool::Runner;
use super::records::{Line, Status};
use super::supervisor::Due;
use crate::faults::Kill;
use crate::invocation::{FunctionError, Outcome};

pub(super) use extension::{Extension, NotRegistered};

/// An instance that answered asks for its next event within this time, or jobs stop waiting for it.
const RETURN_TIMEOUT: Duration = Duration::from_millis(200);

#[derive(Debug)]
struct InFlight {
    invocation_id: String,
    started: Instant,
    records: usize,
    init: Option<Duration>,
    kill: Option<Kill>,
    reply: oneshot::Sender<Reply>,
}

#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct State {
    pid: Option<u32>,
    starting_since: Instant,
    ready: bool,
    stopping: bool,
    /// Killed on purpose: the plan of faults says so.
    killed: bool,
    freezer: Freezer,
    init: Option<Duration>,
    init_error: Option<FunctionError>,
    /// When it first became ready.
    ready_since: Option<Instant>,
    /// By identifier.
    extensions: BTreeMap<String, Extension>,
    /// `next` calls that arrived before initialisation was complete.
    early: Vec<oneshot::Sender<Assignment>>,
    /// `next` calls that wait for an event.
    waiting: usize,
    in_flight: BTreeMap<Arc<str>, InFlight>,
    last_request: Option<Arc<str>>,
    idle_since: Instant,
    /// Answered, and is expected to ask again by then.
    returning: Option<Instant>,
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
                early: Vec::new(),
                waiting: 0,
                in_flight: BTreeMap::new(),
                last_request: None,
                idle_since: now,
                returning: None,
                concurrent: false,
                invocations: 0,
                errors: 0,
            }),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A process runs under this instance; what an earlier one registered is void.
    pub(super) fn process_started(&self, pid: u32) {
        let mut state = self.state();
        state.pid = Some(pid);
        state.starting_since = Instant::now();
        state.ready_since = None;
        state.extensions.clear();
        state.early.clear();
        drop(state);
        self.runner.log.write(None, Line::InitStart);
    }

    /// Makes the job this process' and hands it to the waiting call. Gives it back if that call is gone.
    #[expect(
        clippy::result_large_err,
        reason = "the job goes back to the queue whole; boxing would cost each job an allocation"
    )]
    pub(super) fn assign(
        self: Arc<Self>,
        job: Job,
        hand: oneshot::Sender<Assignment>,
    ) -> Result<(), Job> {
        let mut state = self.state();
        state.waiting = state.waiting.saturating_sub(1);
        if state.stopping || hand.is_closed() {
            return Err(job);
        }
        let Job {
            request_id,
            payload,
            trace_id,
            client_context,
            qualifier,
            records,
            kill,
            waits,
            begun,
            reply,
        } = job;
        let invocation_id = super::pool::new_id();
        let assignment = Assignment {
            request_id: request_id.clone(),
            invocation_id: invocation_id.clone(),
            deadline_ms: epoch_ms(SystemTime::now() + self.runner.function.timeout),
            trace_id: trace_id.clone(),
            client_context: client_context.clone(),
            qualifier: qualifier.clone(),
            payload: payload.clone(),
        };
        let init = state.init.take();
        // in flight before it is sent: if the process dies meanwhile the supervisor answers for it
        state.in_flight.insert(
            request_id.clone(),
            InFlight {
                invocation_id,
                started: Instant::now(),
                records,
                init,
                kill,
                reply,
            },
        );
        let pid = state.pid;
        state.freezer.thaw(pid);
        if hand.send(assignment).is_err() {
            if let Some(entry) = state.in_flight.remove(&request_id) {
                state.init = entry.init;
                let reply = entry.reply;
                return Err(Job {
                    request_id,
                    payload,
                    trace_id,
                    client_context,
                    qualifier,
                    records,
                    kill,
                    waits,
                    begun,
                    reply,
                });
            }
            return Ok(());
        }
        state.invocations += 1;
        state.killed |= kill == Some(Kill::Early);
        drop(state);
        if let Some(begun) = begun {
            begun.notify_one();
        }
        self.runner.log.write(Some(&request_id), Line::Start);
        self.changed.notify_one();
        Ok(())
    }

    /// The runtime asks for its next event.
    pub(super) fn next(self: &Arc<Self>) -> oneshot::Receiver<Assignment> {
        let (hand, receiver) = oneshot::channel();
        let mut state = self.state();
        state.early.push(hand);
        self.open_when_ready(state);
        receiver
    }

    /// Initialisation ends when the runtime and every extension have asked for an event.
    fn open_when_ready(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        if state.stopping
            || state.early.is_empty()
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
        let early = std::mem::take(&mut state.early);
        state.waiting += early.len();
        state.concurrent |= state.waiting + state.in_flight.len() > 1;
        state.idle_since = Instant::now();
        state.returning = None;
        if self.runner.freeze && state.in_flight.is_empty() {
            let pid = state.pid;
            state.freezer.freeze(pid);
        }
        drop(state);
        if first {
            self.runner.log.write(
                None,
                Line::InitEnd {
                    duration: init,
                    status: Status::Success,
                },
            );
            self.runner.dispatch.initialised();
        }
        for hand in early {
            self.runner.dispatch.offer(Slot {
                instance: self.clone(),
                hand,
            });
        }
        self.changed.notify_one();
    }

    /// An answer arrived. False: nobody waits for it (late, or never asked).
    pub(super) fn complete(
        &self,
        request_id: &str,
        invocation_id: Option<&str>,
        outcome: Outcome,
    ) -> bool {
        let known = |state: &State| {
            let entry = state.in_flight.get(request_id);
            entry.is_some_and(|entry| invocation_id.is_none_or(|id| id == entry.invocation_id))
        };
        if !known(&self.state()) {
            return false;
        }
        // before the caller learns the answer: its next invocation then waits for this instance rather than start another
        self.runner.dispatch.returning(self.id);
        let mut state = self.state();
        if state.killed
            || state
                .in_flight
                .get(request_id)
                .is_some_and(|entry| entry.kill == Some(Kill::Late))
        {
            // the process dies with its answer, or was faster than its death; the supervisor answers for it
            state.killed = true;
            drop(state);
            self.changed.notify_one();
            return true;
        }
        let Some((id, entry)) = state.in_flight.remove_entry(request_id) else {
            return false;
        };
        state.returning = Some(Instant::now() + RETURN_TIMEOUT);
        self.close(&mut state, &id, entry, outcome, true);
        drop(state);
        self.changed.notify_one();
        true
    }

    fn close_failed(
        &self,
        state: &mut State,
        request_id: &Arc<str>,
        entry: InFlight,
        outcome: Outcome,
    ) {
        if let Some(error) = outcome.error() {
            self.runner.log.write(
                Some(request_id),
                Line::Failure {
                    text: error.message.clone(),
                },
            );
        }
        self.close(state, request_id, entry, outcome, false);
    }

    /// `reported`: the function itself sent this outcome.
    fn close(
        &self,
        state: &mut State,
        request_id: &Arc<str>,
        entry: InFlight,
        outcome: Outcome,
        reported: bool,
    ) {
        let status = Status::of(&outcome, reported);
        let bytes = match &outcome {
            Outcome::Answer(body) => body.len(),
            Outcome::Error(error) | Outcome::Interrupted(error) => error.body.len(),
        };
        if matches!(outcome, Outcome::Error(_)) {
            state.errors += 1;
        }
        state.idle_since = Instant::now();
        state.last_request = Some(request_id.clone());
        let duration = entry.started.elapsed();
        let init = entry.init;
        let pid = state.pid;
        self.runner.observer.ended(observed::ended(
            request_id,
            entry.records,
            duration,
            init,
            outcome.error(),
        ));
        // a closed channel: the caller gave up waiting
        let _ = entry.reply.send(Ok(outcome));
        let log = &self.runner.log;
        let memory_mb = self.runner.function.memory_mb;
        log.write(
            Some(request_id),
            Line::End {
                duration,
                status: status.clone(),
                bytes,
            },
        );
        log.write(
            Some(request_id),
            Line::Report {
                duration,
                init,
                memory_mb,
                pid,
                status,
            },
        );
    }

    /// The function said why it cannot start.
    pub(super) fn report_init_error(&self, error: FunctionError) {
        self.state().init_error = Some(error);
    }

    /// Gives it no further event and has the supervisor end it.
    pub(super) fn condemn(&self) {
        self.state().stopping = true;
        self.runner.dispatch.withdraw(self.id);
        self.changed.notify_one();
    }

    /// Gives an idle instance no further event. False if it is busy.
    pub(super) fn retire(&self) -> bool {
        let mut state = self.state();
        if !state.in_flight.is_empty() {
            return false;
        }
        state.stopping = true;
        drop(state);
        self.runner.dispatch.withdraw(self.id);
        true
    }

    /// Has the supervisor end it, unless it is busy.
    pub(super) fn retire_now(&self) {
        if self.retire() {
            self.changed.notify_one();
        }
    }

    /// What is due now. Where several events share the process, those out of time are answered here and it lives on.
    pub(super) fn check(&self, now: Instant, init_limit: Duration, idle: Duration) -> Due {
        let mut state = self.state();
        if state.killed {
            state.stopping = true;
            return Due::Killed;
        }
        if state.stopping {
            return Due::Stop;
        }
        if !state.ready {
            let limit = state.starting_since + init_limit;
            return if now >= limit {
                Due::InitTimeout
            } else {
                Due::At(limit)
            };
        }
        let timeout = self.runner.function.timeout;
        let late: Vec<Arc<str>> = state
            .in_flight
            .iter()
            .filter(|(_, entry)| now >= entry.started + timeout)
            .map(|(id, _)| id.clone())
            .collect();
        if !late.is_empty() && !state.concurrent {
            state.stopping = true;
            return Due::Deadline;
        }
        for id in &late {
            if let Some(entry) = state.in_flight.remove(id) {
                self.close_failed(
                    &mut state,
                    id,
                    entry,
                    Outcome::Error(failure::timed_out(id, timeout)),
                );
            }
        }
        if let Some(first) = state
            .in_flight
            .values()
            .map(|entry| entry.started + timeout)
            .min()
        {
            return Due::At(first);
        }
        if let Some(until) = state.returning {
            if now < until {
                return Due::At(until);
            }
            state.returning = None;
            return Due::Overdue;
        }
        let retire = state.idle_since + idle;
        if now >= retire {
            Due::Idle
        } else {
            Due::At(retire)
        }
    }

    /// Ends everything in flight with an outcome made of its request id.
    pub(super) fn end_all(&self, outcome: impl Fn(&str) -> Outcome) {
        let mut state = self.state();
        state.stopping = true;
        let failed = std::mem::take(&mut state.in_flight);
        // `outcome` may look at this instance
        drop(state);
        for (id, entry) in failed {
            let outcome = outcome(&id);
            self.close_failed(&mut self.state(), &id, entry, outcome);
        }
    }
}

/// Milliseconds since 1970.
pub(crate) fn epoch_ms(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis() as u64
}
