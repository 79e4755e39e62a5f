//! What is due at a time: deadlines, the ends of waits and pauses, idle time.

use std::time::Duration;

use super::Machine;
use super::events::{Action, InvocationId, ProcessId};
use super::process::Phase;
use crate::instances::failure::End;

/// Time for initialisation before the process is started once more (Lambda's limit).
pub(super) const INIT_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for initialisation on managed instances: the function's timeout within these bounds
/// ("Understanding the Lambda Managed Instances execution environment").
const MANAGED_INIT_TIMEOUT: [Duration; 2] = [Duration::from_secs(130), Duration::from_secs(900)];

impl Machine {
    /// Applies everything that is due, and notes when the next is.
    pub(super) fn tick(&mut self) {
        self.wake = None;
        let killing = self.drain.is_some_and(|kill_at| kill_at <= self.now);
        for id in self.process_ids() {
            if killing {
                self.stop(id);
            }
            self.check(id);
        }
        if let Some(kill_at) = self.drain.filter(|_| !killing) {
            self.wake_at(kill_at);
        }
        for function in 0..self.functions.len() {
            self.check_shortage(function);
            self.check_queue(function);
        }
    }

    /// Applies what is due of one process.
    pub(super) fn check(&mut self, id: ProcessId) {
        let now = self.now;
        let Some(process) = self.process(id) else {
            return;
        };
        let is_ready = process.is_ready();
        match &mut process.phase {
            Phase::Paused(at) | Phase::Waiting(at) | Phase::Ending(_, Some(at)) if now < *at => {
                let at = *at;
                self.wake_at(at);
            }
            Phase::Paused(_) => {
                self.actions.push_back(Action::Recovered(id.function));
                self.request_room(id);
            }
            Phase::Waiting(_) => self.give_up_room(id),
            Phase::Ending(_, kill_at) => {
                if kill_at.take().is_some() {
                    self.actions.push_back(Action::Kill(id));
                }
            }
            Phase::Running if is_ready => self.check_ready(id),
            Phase::Running => {
                let since = process.since;
                let (is_repeated, is_managed) = (process.is_repeated, process.max_events.is_some());
                let timeout = self.functions[id.function].function.timeout;
                let [least, most] = MANAGED_INIT_TIMEOUT;
                let (limit, reported) = match timeout.clamp(least, most) {
                    managed if is_managed => (managed, managed),
                    _ if is_repeated => (timeout, timeout),
                    _ => (INIT_TIMEOUT, timeout),
                };
                match since.map(|since| since + limit) {
                    Some(at) if now < at => self.wake_at(at),
                    Some(_) => self.end(id, End::TimedOut(reported)),
                    None => {}
                }
            }
        }
    }

    fn check_ready(&mut self, id: ProcessId) {
        let now = self.now;
        let timeout = self.functions[id.function].function.timeout;
        let Some(process) = self.process(id) else {
            return;
        };
        let pid = process.pid;
        let deadlines = process
            .in_flight
            .values()
            .map(|entry| entry.started + timeout);
        let first = deadlines.filter(|deadline| now < *deadline).min();
        let in_flight = process.in_flight.iter();
        let late = in_flight.filter(|(_, entry)| now >= entry.started + timeout);
        let late: Vec<InvocationId> = late.map(|(id, _)| id.clone()).collect();
        if !late.is_empty() && !process.outlives_deadlines() {
            return self.end(id, End::TimedOut(timeout));
        }
        for invocation in late {
            let process = self.process(id);
            let finished = process.and_then(|process| {
                let entry = process.finish(&invocation, true, now)?;
                process.remember_late(invocation.clone(), entry.job.request_id.clone());
                Some(entry)
            });
            if let Some(entry) = finished {
                let outcome = End::TimedOut(timeout).outcome(&entry.job.request_id);
                self.close(id.function, pid, entry, outcome, false);
            }
        }
        if let Some(first) = first {
            self.wake_at(first);
        }
        self.fill(id);
        self.check_return(id);
    }

    /// Has the jobs that wait for a process that does not call again get another, and ends a
    /// process that has been idle for long.
    fn check_return(&mut self, id: ProcessId) {
        let (now, idle) = (self.now, self.settings.idle);
        let state = &self.functions[id.function];
        // without a call that waits it may still do what follows its answer
        let surplus = state.is_surplus(id.number) && state.idle.contains(&id.number);
        let ending = self.drain.is_some() || surplus;
        let Some(process) = self.process(id) else {
            return;
        };
        let idle_until = process.idle_since.unwrap_or(now) + idle;
        match process.return_by {
            Some(at) if now < at => self.wake_at(at),
            Some(_) => {
                process.return_by = None;
                process.is_opening = false;
                self.start_if_needed(id.function, None);
                self.check_return(id);
            }
            None if process.is_busy() => {}
            None if ending || now >= idle_until => self.stop(id),
            None => self.wake_at(idle_until),
        }
    }

    /// Ends the pause after a shortage.
    fn check_shortage(&mut self, function: usize) {
        let Some(shortage) = &mut self.functions[function].shortage else {
            return;
        };
        match shortage.until {
            Some(until) if self.now < until => self.wake_at(until),
            Some(_) => {
                shortage.until = None;
                self.start_if_needed(function, None);
                self.actions.push_back(Action::Freed(function));
            }
            None => {}
        }
    }

    /// Throttles jobs that no process has in time. A job whose process is being started is no
    /// longer throttled: the initialisation is part of the invocation.
    fn check_queue(&mut self, function: usize) {
        let now = self.now;
        let state = &mut self.functions[function];
        let starting = state.starting();
        for (at, mut job) in std::mem::take(&mut state.queue).into_iter().enumerate() {
            let state = &mut self.functions[function];
            let late = job.start_by.is_some_and(|start_by| now >= start_by);
            if late && at >= starting {
                let why = state.throttled();
                self.reject(function, job, why);
                continue;
            }
            job.start_by = job.start_by.filter(|_| !late);
            let start_by = job.start_by;
            state.queue.push_back(job);
            if let Some(start_by) = start_by {
                self.wake_at(start_by);
            }
        }
    }
}
