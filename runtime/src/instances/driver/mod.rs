//! Feeds the machine with inputs and executes its actions.
//!
//! Any task may apply an input. The machine is locked while it decides, and never while an action
//! is executed. The task that finds no other at it executes actions, those of other tasks included:
//! one at a time, in the order of the machine. No action blocks.
//!
//! `invocations` carries payloads and answers, `instance` runs a process.

mod instance;
mod invocations;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::Signal;
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot, watch};

use super::logs::FunctionLog;
use super::machine::{Action, Input, InvocationId, Machine, MachineSettings, ProcessId};
use super::process::signal;
use super::reaper::Reaper;
use crate::clock::epoch_ms;
use crate::lock::lock;
use crate::observation::{Ended, FunctionObserver};
use crate::supervision::{Component, supervise};
use crate::waiting::until;
use sam_template::model::Function;

use self::invocations::PendingInvocation;

pub(super) use instance::{Completion, Instance};
pub(super) use invocations::Assignment;

/// A function with all that its processes use.
#[derive(Debug)]
pub(super) struct Runner {
    pub(super) function: Function,
    pub(super) arn: String,
    pub(super) executable: PathBuf,
    /// The concurrency limit at the start.
    pub(super) limit: usize,
    pub(super) log: FunctionLog,
    pub(super) observer: FunctionObserver,
    /// Its processes, as a component of the host.
    pub(super) part: Component,
    /// Notified when one of its processes may have become available.
    pub(super) freed: Notify,
}

/// A started process.
#[derive(Debug)]
struct Started {
    /// Process id, which is also its process group.
    pid: u32,
    /// `next` calls that wait.
    calls: Vec<oneshot::Sender<Assignment>>,
}

impl Started {
    /// Forgets calls whose clients are gone, and counts the others.
    fn open_calls(&mut self) -> usize {
        self.calls.retain(|call| !call.is_closed());
        self.calls.len()
    }
}

#[derive(Debug)]
struct State {
    machine: Machine,
    /// A task executes actions.
    executing: bool,
    /// The ticker sleeps until then.
    sleeps_until: Option<Instant>,
}

/// The machine, and what its actions change.
#[derive(Debug)]
pub(super) struct Driver {
    runners: Vec<Runner>,
    /// Open files that a process may have; `None`: as many as the host.
    open_files: Option<u64>,
    reaper: Arc<Reaper>,
    runtime: Handle,
    state: Mutex<State>,
    invocations: Mutex<HashMap<InvocationId, PendingInvocation>>,
    started: Mutex<HashMap<ProcessId, Started>>,
    /// Wakes the ticker: something is due earlier, or a process has ended.
    changed: Notify,
    /// Notified when a process has ended.
    ended: Notify,
}

impl Driver {
    /// `runners` by logical id; `ticker`: the task that applies what is due, as a component of the
    /// host. Must be called within a tokio runtime.
    pub(super) fn new(
        settings: MachineSettings,
        runners: Vec<Runner>,
        open_files: Option<u64>,
        ticker: Component,
    ) -> Arc<Self> {
        let functions = runners.iter();
        let functions = functions.map(|runner| (runner.function.clone(), runner.limit));
        let machine = Machine::new(settings, functions, Instant::now());
        let driver = Arc::new(Self {
            runners,
            open_files,
            reaper: Arc::new(Reaper::start()),
            runtime: Handle::current(),
            state: Mutex::new(State {
                machine,
                executing: false,
                sleeps_until: None,
            }),
            invocations: Mutex::default(),
            started: Mutex::default(),
            changed: Notify::new(),
            ended: Notify::new(),
        });
        driver
            .runtime
            .spawn(supervise_ticks(driver.clone(), ticker));
        driver
    }

    /// Index of the function with this logical id.
    pub(super) fn index(&self, id: &str) -> Option<usize> {
        self.runners
            .binary_search_by(|runner| runner.function.id.as_str().cmp(id))
            .ok()
    }

    pub(super) fn runner(&self, function: usize) -> &Runner {
        &self.runners[function]
    }

    /// Reads the machine.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Machine) -> T) -> T {
        read(&lock(&self.state).machine)
    }

    /// Applies an input.
    pub(super) fn apply(self: &Arc<Self>, input: Input) {
        self.change(|machine, now| machine.step(now, input));
    }

    /// Changes the machine, and executes the actions that result.
    pub(super) fn change<T>(
        self: &Arc<Self>,
        change: impl FnOnce(&mut Machine, Instant) -> T,
    ) -> T {
        let mut state = lock(&self.state);
        let changed = change(&mut state.machine, Instant::now());
        if let Some(wake) = state.machine.wake()
            && state.sleeps_until.is_none_or(|until| wake < until)
        {
            state.sleeps_until = Some(wake);
            self.changed.notify_one();
        }
        if !std::mem::replace(&mut state.executing, true) {
            self.execute_all(state);
        }
        changed
    }

    fn execute_all<'a>(self: &'a Arc<Self>, mut state: MutexGuard<'a, State>) {
        while let Some(action) = state.machine.next_action() {
            drop(state);
            let executed = catch_unwind(AssertUnwindSafe(|| self.execute(action)));
            state = lock(&self.state);
            if let Err(panic) = executed {
                // the next task that applies an input continues
                state.executing = false;
                drop(state);
                resume_unwind(panic);
            }
        }
        state.executing = false;
    }

    /// Applies what is due, until the last process has ended after a drain.
    async fn tick(self: Arc<Self>) {
        while !self.read(Machine::has_drained) {
            let wake = {
                let mut state = lock(&self.state);
                state.sleeps_until = state.machine.wake();
                state.sleeps_until
            };
            tokio::select! {
                () = until(wake.map(Into::into)) => self.apply(Input::Tick),
                () = self.changed.notified() => {}
            }
        }
    }

    /// Waits until a job would find a process, or one could be started; or until any process became
    /// available, which another caller may take first.
    pub(super) async fn available(&self, function: usize) {
        let freed = self.runners[function].freed.notified();
        if !self.read(|machine| machine.is_available(function)) {
            freed.await;
        }
    }

    /// Accepts nothing more, and ends every process: idle ones now, busy ones when they have
    /// finished, or after `limit`.
    pub(super) fn drain(self: &Arc<Self>, limit: Duration) {
        self.apply(Input::Drain(Instant::now() + limit));
        self.changed.notify_one();
    }

    /// Waits until every process has ended.
    pub(super) async fn drained(&self) {
        loop {
            let ended = self.ended.notified();
            if self.read(Machine::has_drained) {
                return;
            }
            ended.await;
        }
    }

    fn execute(self: &Arc<Self>, action: Action) {
        match action {
            Action::Start(id) => instance::spawn(self.clone(), id),
            Action::Deliver(id, invocation) => self.deliver(id, invocation),
            Action::Freeze(id) => self.signal(id, Signal::SIGSTOP),
            Action::Thaw(id) => self.signal(id, Signal::SIGCONT),
            Action::Terminate(id) => {
                self.signal(id, Signal::SIGTERM);
                // a stopped process receives it only once it continues
                self.signal(id, Signal::SIGCONT);
            }
            Action::Kill(id) => self.signal(id, Signal::SIGKILL),
            Action::Ended(id) => {
                lock(&self.started).remove(&id);
                self.ended.notify_waiters();
                self.changed.notify_one();
            }
            Action::Reply(invocation, result) => {
                let pending = lock(&self.invocations).remove(&invocation);
                if let Some(pending) = pending {
                    // the receiver is gone where the caller gave up
                    let _ = pending.reply.send(result);
                }
            }
            Action::Observe(function, ended) => {
                let at_ms = epoch_ms(SystemTime::now());
                let runner = &self.runners[function];
                let ended = Ended { at_ms, ..ended };
                runner.log.ended(&ended);
                runner.observer.ended(ended);
            }
            Action::Forget(invocation) => drop(lock(&self.invocations).remove(&invocation)),
            Action::Log(function, request_id, line) => {
                self.runners[function].log.write(request_id.as_ref(), line);
            }
            Action::Freed(function) => self.runners[function].freed.notify_waiters(),
            Action::Shortage(function, why, alarm) => {
                let function = &self.runners[function].function.id;
                let text = format!(
                    "a process cannot be started: {why}. Its events are throttled and retried"
                );
                if alarm {
                    tracing::error!(alarm = "process_not_started", function, "{text}");
                } else {
                    tracing::warn!(function, "{text}");
                }
            }
            Action::Fault(function, why, pause) => {
                let Runner { function, part, .. } = &self.runners[function];
                let why = format!("the supervisor of a process of {}: {why}", function.id);
                part.ended(&why);
                tracing::error!(
                    alarm = "instance_task_ended",
                    part = part.name(),
                    "{why}. Its invocations in flight count as not tried; the next process may \
                     start in {} ms",
                    pause.as_millis()
                );
            }
            Action::Recovered(function) => self.runners[function].part.started(Instant::now()),
        }
    }

    /// Sends a signal to the process' group.
    fn signal(&self, id: ProcessId, one: Signal) {
        let pid = lock(&self.started).get(&id).map(|started| started.pid);
        if let Some(pid) = pid {
            signal(pid, one);
        }
    }
}

/// Runs the ticker until the last process has ended after a drain. Without it no deadline would be
/// applied, so that it starts again after a panic.
async fn supervise_ticks(driver: Arc<Driver>, ticker: Component) {
    // never stopped from outside: the ticker ends by itself
    let (_running, stopping) = watch::channel(false);
    let start = || {
        let driver = driver.clone();
        async move {
            driver.tick().await;
            Ok::<(), std::convert::Infallible>(())
        }
    };
    // an error would mean that it was stopped
    let _ = supervise(ticker, stopping, start).await;
}
