//! Ends of processes, and of invocations with them.

use std::time::Duration;

use super::Machine;
use super::due::INIT_TIMEOUT;
use super::events::{Action, Job, ProcessId};
use super::process::{InFlight, Phase};
use crate::instances::failure::End;
use crate::instances::records::{LogLine, PhaseStatus};
use crate::invocation::{FunctionError, Outcome};

/// Time between SIGTERM and SIGKILL for a function that registered an extension (Lambda's limit for
/// internal extensions).
const GRACE: Duration = Duration::from_millis(500);

impl Machine {
    /// Ends a process, busy or not.
    pub(super) fn stop(&mut self, id: ProcessId) {
        self.end(id, End::Stopped);
    }

    pub(super) fn init_failed(&mut self, id: ProcessId, error: FunctionError) {
        if let Some(process) = self.process(id) {
            process.init_error = Some(error);
            self.stop(id);
        }
    }

    /// Before the process is ready this is a failed initialisation, and fails a waiting invocation;
    /// otherwise the process would be started again and again.
    pub(super) fn extension_failed(&mut self, id: ProcessId, error: FunctionError) {
        match self.process(id) {
            Some(process) if !process.is_ready() => self.init_failed(id, error),
            _ => self.stop(id),
        }
    }

    /// Begins to end a process, for the first reason that is given. It receives nothing more.
    pub(super) fn end(&mut self, id: ProcessId, why: End) {
        let now = self.now;
        let state = &mut self.functions[id.function];
        state.idle.retain(|idle| *idle != id.number);
        let Some(process) = state.processes.get_mut(&id.number) else {
            return;
        };
        process.return_by = None;
        let starts_again = process.starts_again();
        match &mut process.phase {
            Phase::Paused(_) | Phase::Waiting(_) => self.withdraw(id),
            Phase::Ending(first, _) if starts_again => *first = why,
            Phase::Ending(..) => {}
            Phase::Running => {
                let graceful = matches!(why, End::Stopped) && !process.extensions.is_empty();
                let kill_at = graceful.then(|| now + GRACE);
                process.phase = Phase::Ending(why, kill_at);
                // without a pid it ends as soon as it has started
                if process.pid.is_some() {
                    let end = if graceful {
                        Action::Terminate
                    } else {
                        Action::Kill
                    };
                    self.actions.push_back(end(id));
                }
                if let Some(kill_at) = kill_at {
                    self.wake_at(kill_at);
                }
            }
        }
    }

    /// A process has ended: on its own account as `reported`, or as it was ended.
    pub(super) fn exited(&mut self, id: ProcessId, reported: End) {
        let Some(process) = self.process(id) else {
            return;
        };
        let starts_again = process.starts_again() && !reported.is_of_host();
        let why = match std::mem::replace(&mut process.phase, Phase::Running) {
            _ if starts_again => return self.start_again(id),
            Phase::Ending(why, _) if !reported.is_of_host() => why,
            _ => reported,
        };
        let state = &mut self.functions[id.function];
        state.idle.retain(|idle| *idle != id.number);
        let Some(process) = state.processes.remove(&id.number) else {
            return;
        };
        self.running -= 1;
        self.actions.push_back(Action::Ended(id));
        self.fill_all(id.function);
        if matches!(why, End::Shortage(_)) {
            return self.start_failed(id.function, &why);
        }
        if matches!(why, End::CannotRun { .. }) {
            let text = why.to_string();
            self.log(id.function, None, LogLine::Failure { text });
        }
        let outcome = |request_id: &str| match &process.init_error {
            Some(error) if !why.is_of_host() => Outcome::Error(error.clone()),
            _ => why.outcome(request_id),
        };
        let on_purpose = matches!(why, End::Stopped) && process.init_error.is_none();
        let failed_start = !process.is_ready() && !on_purpose && !why.is_of_host();
        // otherwise a function that cannot start would be started for ever
        let state = &mut self.functions[id.function];
        let alone = state.processes.is_empty();
        let waited_for_it = match process.max_events {
            _ if !failed_start => 0,
            Some(max) if alone => max,
            _ => 1,
        };
        let failed = waited_for_it.min(state.queue.len());
        let failed: Vec<Job> = state.queue.drain(..failed).collect();
        for job in failed {
            let outcome = outcome(&job.request_id);
            self.answer(id.function, job, outcome, Duration::ZERO, None);
        }
        self.start_successor(id.function, &why);
        for entry in process.in_flight.into_values() {
            let outcome = outcome(&entry.job.request_id);
            self.close(id.function, process.pid, entry, outcome, false);
        }
        self.make_room();
        self.actions.push_back(Action::Freed(id.function));
    }

    /// The first initialisation took too long. It is repeated as part of the invocation that waits.
    fn start_again(&mut self, id: ProcessId) {
        if let Some(process) = self.process(id) {
            process.is_repeated = true;
            (process.pid, process.since) = (None, None);
            // what the first start called for is void
            process.extensions.clear();
            process.early_calls = 0;
            process.concurrency = 0;
        }
        let (duration, status) = (INIT_TIMEOUT, PhaseStatus::Timeout);
        self.log(id.function, None, LogLine::InitEnd { duration, status });
        self.actions.push_back(Action::Start(id));
    }

    /// Starts a process in place of one that ended if queued jobs need it: after a pause if the
    /// host lost it.
    fn start_successor(&mut self, function: usize, ended: &End) {
        let End::HostFault { why, ran } = ended else {
            self.start_if_needed(function, None);
            return;
        };
        let pause = self.functions[function].backoff.pause(*ran);
        self.actions
            .push_back(Action::Fault(function, why.clone(), pause));
        if !self.start_if_needed(function, Some(self.now + pause)) {
            self.actions.push_back(Action::Recovered(function));
        }
    }

    /// Ends an invocation that a process had. `reported`: the function itself sent this outcome.
    pub(super) fn close(
        &mut self,
        function: usize,
        pid: Option<u32>,
        entry: InFlight,
        outcome: Outcome,
        reported: bool,
    ) {
        let InFlight { job, started, init } = entry;
        let request_id = job.request_id.clone();
        if let Some(error) = outcome.error().filter(|_| !reported) {
            let text = error.message.clone();
            self.log(function, Some(&request_id), LogLine::Failure { text });
        }
        let duration = self.now.saturating_duration_since(started);
        let status = PhaseStatus::of(&outcome, reported);
        let bytes = match &outcome {
            Outcome::Answer(body) => body.len(),
            Outcome::Error(error) | Outcome::Interrupted(error) => error.body.len(),
        };
        self.answer(function, job, outcome, duration, init);
        let end = LogLine::End {
            duration,
            status: status.clone(),
            bytes,
        };
        self.log(function, Some(&request_id), end);
        let report = LogLine::Report {
            duration,
            init,
            memory_mb: self.functions[function].function.memory_mb,
            pid,
            status,
        };
        self.log(function, Some(&request_id), report);
    }
}
