//! Invocations and the calls of processes, and which call receives which invocation.

use std::time::Duration;

use super::Machine;
use super::events::{Action, InvocationId, Job, ProcessId};
use super::process::InFlight;
use crate::faults::Kill;
use crate::instances::failure::End;
use crate::instances::records::{LogLine, PhaseStatus};
use crate::invocation::{Outcome, Rejected};

/// Time for the next call of a process that answered. After it, queued jobs get another process.
const RETURN_TIMEOUT: Duration = Duration::from_millis(200);

impl Machine {
    /// Assigns, queues or rejects a job. With a limit of 0 every job is throttled.
    pub(super) fn submit(&mut self, function: usize, job: Job) {
        if self.drain.is_some() {
            return self.reject(function, job, Rejected::ShuttingDown);
        }
        let state = &mut self.functions[function];
        // queued jobs came first
        if state.limit > 0
            && state.queue.is_empty()
            && let Some(number) = state.take_call()
        {
            return self.deliver(ProcessId { function, number }, job);
        }
        let uncovered = state.is_uncovered(state.queue.len() + 1);
        let starts = uncovered && state.may_start();
        let may_wait = !uncovered || (job.queue_at_limit && !state.processes.is_empty());
        if state.limit == 0 || !(starts || may_wait) {
            let why = state.refusal();
            return self.reject(function, job, why);
        }
        let start_by = job.start_by;
        state.queue.push_back(job);
        if let Some(start_by) = start_by {
            self.wake_at(start_by);
        }
        if starts {
            self.announce(function, None);
        }
    }

    /// Forgets a queued job. One in flight runs to its end.
    pub(super) fn given_up(&mut self, function: usize, id: &InvocationId) {
        let queue = &mut self.functions[function].queue;
        if let Some(at) = queue.iter().position(|job| job.id == *id) {
            queue.remove(at);
            self.actions.push_back(Action::Forget(id.clone()));
            self.make_room();
        }
    }

    pub(super) fn started(&mut self, id: ProcessId, pid: u32) {
        if self.functions[id.function].shortage.take().is_some() {
            while self.start_if_needed(id.function, None) {}
            self.actions.push_back(Action::Freed(id.function));
        }
        let now = self.now;
        let Some(process) = self.process(id) else {
            return;
        };
        process.pid = Some(pid);
        process.since = Some(now);
        if process.end().is_some() {
            self.actions.push_back(Action::Kill(id));
        }
        self.log(id.function, None, LogLine::InitStart);
        self.check(id);
    }

    pub(super) fn next_called(&mut self, id: ProcessId, open: usize) {
        let state = &mut self.functions[id.function];
        let Some(process) = state.processes.get_mut(&id.number) else {
            return;
        };
        process.early_calls += 1;
        let waiting = state.idle.iter().filter(|idle| **idle == id.number);
        let mut lost = (waiting.count() + process.early_calls).saturating_sub(open);
        // else a runtime that connects again would count as one that takes several events
        state.idle.retain(|idle| {
            let is_lost = lost > 0 && *idle == id.number;
            lost -= usize::from(is_lost);
            !is_lost
        });
        process.early_calls -= lost;
        let waiting = state.idle.iter().filter(|idle| **idle == id.number);
        let calls = waiting.count() + process.early_calls;
        let events = calls + process.in_flight.len() + process.late.len();
        let events = process.max_events.map_or(events, |max| events.min(max));
        process.concurrency = process.concurrency.max(events);
        self.offer_when_ready(id);
    }

    pub(super) fn extension_ready(&mut self, id: ProcessId, extension: &str) {
        let extensions = self.process(id).map(|process| &mut process.extensions);
        if let Some(extension) = extensions.and_then(|all| all.get_mut(extension)) {
            extension.ready = true;
            self.offer_when_ready(id);
        }
    }

    /// Initialisation ends when the runtime and every extension have called for an event.
    fn offer_when_ready(&mut self, id: ProcessId) {
        let now = self.now;
        let state = &mut self.functions[id.function];
        let waiting = state.idle.iter().filter(|idle| **idle == id.number).count();
        let Some(process) = state.processes.get_mut(&id.number) else {
            return;
        };
        let calls = process.early_calls;
        let mut extensions = process.extensions.values();
        if process.end().is_some() || calls == 0 || !extensions.all(|extension| extension.ready) {
            return;
        }
        process.early_calls = 0;
        process.idle_since = Some(now);
        if !process.is_ready() && process.max_events.is_some() {
            process.is_opening = true;
            process.return_by = Some(now + RETURN_TIMEOUT);
        }
        if !process.is_ready() {
            let duration = now.saturating_duration_since(process.since.unwrap_or(now));
            process.init = Some(duration);
            process.ready_since = Some(now);
            let status = PhaseStatus::Success;
            self.log(id.function, None, LogLine::InitEnd { duration, status });
        }
        if let Some(process) = self.process(id)
            && process.expected_calls(waiting + calls) == 0
        {
            process.return_by = None;
            process.is_opening = false;
        }
        for _ in 0..calls {
            self.offer(id);
        }
        self.freeze_if_idle(id);
        self.check(id);
        self.actions.push_back(Action::Freed(id.function));
        self.make_room();
    }

    /// One call gets the oldest job, or waits. Above a limit that was lowered the process ends.
    fn offer(&mut self, id: ProcessId) {
        let draining = self.drain.is_some();
        let state = &mut self.functions[id.function];
        let Some(process) = state.processes.get(&id.number) else {
            return;
        };
        if process.end().is_some() {
            return;
        }
        if (draining || state.is_surplus(id.number)) && !process.is_busy() {
            return self.stop(id);
        }
        state.idle.push(id.number);
        self.fill(id);
    }

    /// Delivers queued jobs to calls of a process that wait, as far as it has room.
    pub(super) fn fill(&mut self, id: ProcessId) {
        loop {
            let state = &mut self.functions[id.function];
            let Some(process) = state.processes.get(&id.number) else {
                return;
            };
            let able = process.end().is_none() && process.has_room();
            if state.queue.is_empty() || !able || state.is_surplus(id.number) {
                return;
            }
            if !state.forget_call(id.number) {
                return;
            }
            let Some(job) = state.queue.pop_front() else {
                return;
            };
            self.deliver(id, job);
        }
    }

    /// Delivers queued jobs to every process of a function that has room: one that was above a
    /// lowered limit may take them now.
    pub(super) fn fill_all(&mut self, function: usize) {
        let processes = self.functions[function].processes.keys();
        for number in processes.copied().collect::<Vec<_>>() {
            self.fill(ProcessId { function, number });
        }
    }

    fn freeze_if_idle(&mut self, id: ProcessId) {
        let freeze = self.settings.freeze;
        if let Some(process) = self.process(id)
            && freeze
            && !process.outlives_deadlines()
            && !process.is_busy()
            && process.end().is_none()
        {
            process.frozen = true;
            self.actions.push_back(Action::Freeze(id));
        }
    }

    fn deliver(&mut self, id: ProcessId, job: Job) {
        let started = self.now;
        let deadline = started + self.functions[id.function].function.timeout;
        let state = &mut self.functions[id.function];
        let Some(process) = state.processes.get_mut(&id.number) else {
            return;
        };
        if std::mem::take(&mut process.frozen) {
            self.actions.push_back(Action::Thaw(id));
        }
        self.actions.push_back(Action::Deliver(id, job.id.clone()));
        let kill = job.kill == Some(Kill::Early);
        let init = process.init.take();
        process.invocations += 1;
        let entry = InFlight { job, started, init };
        process.in_flight.insert(entry.job.id.clone(), entry);
        self.wake_at(deadline);
        if kill {
            self.end(id, End::Killed);
        }
    }

    /// The process had no open call: the job goes another way.
    pub(super) fn undelivered(&mut self, id: ProcessId, invocation: &InvocationId, open: usize) {
        let state = &mut self.functions[id.function];
        let waiting = state.idle.iter().filter(|idle| **idle == id.number).count();
        for _ in open..waiting {
            state.forget_call(id.number);
        }
        let Some(process) = state.processes.get_mut(&id.number) else {
            return;
        };
        if let Some(entry) = process.in_flight.remove(invocation) {
            process.invocations -= 1;
            process.init = entry.init;
            self.submit(id.function, entry.job);
        }
    }

    pub(super) fn responded(&mut self, id: ProcessId, invocation: &InvocationId, outcome: Outcome) {
        let now = self.now;
        let Some(process) = self.process(id) else {
            return;
        };
        let entry = process.in_flight.get(invocation);
        let late_kill = entry.is_some_and(|entry| entry.job.kill == Some(Kill::Late));
        if late_kill || matches!(process.end(), Some(End::Killed)) {
            // the plan kills the process with its answer, which is lost
            return self.end(id, End::Killed);
        }
        let pid = process.pid;
        let failed = matches!(outcome, Outcome::Error(_));
        let Some(entry) = process.finish(invocation, failed, now) else {
            return;
        };
        // answers do not prolong the wait for first calls that may never come
        if process.end().is_none() && !process.is_opening {
            process.return_by = Some(now + RETURN_TIMEOUT);
            self.wake_at(now + RETURN_TIMEOUT);
        }
        self.close(id.function, pid, entry, outcome, true);
        // a runtime may have more calls than it may have invocations
        self.fill(id);
    }
}
