//! Starts processes within the limits: of their function, and of all functions together, which the
//! host's open files set.

use std::time::{Duration, Instant};

use super::Machine;
use super::events::{Action, ProcessId};
use super::function::Shortage;
use super::process::{Phase, ProcessState};
use crate::instances::failure::End;
use crate::supervision::Backoff;

/// How long a start waits for the end of an idle process that is ended for it.
const END_WAIT: Duration = Duration::from_secs(1);
/// How long a start waits for a process to become idle.
const IDLE_WAIT: Duration = Duration::from_millis(250);
/// The longest pause before the next start after one that the host was short of something for.
const LONGEST_SHORTAGE_PAUSE: Duration = Duration::from_secs(2);
/// Time between two log lines of a shortage that lasts.
const LOG_INTERVAL: Duration = Duration::from_secs(10);

impl Machine {
    /// Starts a process, not before `at`, if more jobs are queued than processes are expected to
    /// call for one.
    pub(super) fn start_if_needed(&mut self, function: usize, at: Option<Instant>) -> bool {
        let state = &self.functions[function];
        // a drain has emptied the queue
        let needed = state.is_uncovered(state.queue.len()) && state.may_start();
        if needed {
            self.announce(function, at);
        }
        needed
    }

    pub(super) fn announce(&mut self, function: usize, at: Option<Instant>) {
        let state = &mut self.functions[function];
        state.last_number += 1;
        let number = state.last_number;
        let process = ProcessState {
            phase: Phase::Paused(at.unwrap_or(self.now)),
            max_events: state.max_events(),
            ..ProcessState::default()
        };
        state.processes.insert(number, process);
        match at {
            Some(at) => self.wake_at(at),
            None => self.request_room(ProcessId { function, number }),
        }
    }

    /// Has the process start when there is room for one more.
    pub(super) fn request_room(&mut self, id: ProcessId) {
        self.waiting.push_back(id);
        self.wait_for_room(id, IDLE_WAIT);
        self.make_room();
    }

    fn wait_for_room(&mut self, id: ProcessId, time: Duration) {
        let give_up = self.now + time;
        self.wake_at(give_up);
        if let Some(process) = self.process(id) {
            process.phase = Phase::Waiting(give_up);
        }
    }

    /// Starts processes that wait, and ends idle ones for those that there is no room for.
    pub(super) fn make_room(&mut self) {
        let mut short = 0;
        for id in self.waiting.clone() {
            if !self.functions[id.function].keeps_start() {
                self.withdraw(id);
            } else if self.running < self.settings.processes {
                self.waiting.retain(|waiting| *waiting != id);
                self.running += 1;
                self.start(id);
            } else {
                short += 1;
                if self.ending() < short && self.end_longest_idle() {
                    self.wait_for_room(id, END_WAIT);
                }
            }
        }
    }

    /// Processes that will soon leave room for others.
    fn ending(&self) -> usize {
        let processes = self
            .functions
            .iter()
            .flat_map(|state| state.processes.values());
        processes.filter(|process| process.end().is_some()).count()
    }

    fn start(&mut self, id: ProcessId) {
        if let Some(process) = self.process(id) {
            process.phase = Phase::Running;
        }
        self.functions[id.function].counts.cold_starts += 1;
        self.actions.push_back(Action::Start(id));
    }

    /// Forgets a process whose start was not requested yet.
    pub(super) fn withdraw(&mut self, id: ProcessId) {
        self.waiting.retain(|waiting| *waiting != id);
        self.functions[id.function].processes.remove(&id.number);
        self.actions.push_back(Action::Ended(id));
        self.actions.push_back(Action::Freed(id.function));
    }

    /// Ends the process of any function that has been idle longest. False: none is idle.
    fn end_longest_idle(&mut self) -> bool {
        let functions = self.functions.iter().enumerate();
        let idle = functions.flat_map(|(function, state)| {
            state.idle.iter().filter_map(move |number| {
                let process = state.processes.get(number)?;
                let number = *number;
                (!process.is_busy()).then_some((process.idle_since, ProcessId { function, number }))
            })
        });
        let longest = idle.min();
        if let Some((_, id)) = longest {
            self.stop(id);
        }
        longest.is_some()
    }

    /// No process ended or became idle for one that waited.
    pub(super) fn give_up_room(&mut self, id: ProcessId) {
        self.withdraw(id);
        self.no_capacity(id.function, &End::OutOfProcesses);
    }

    /// The host is short of something that a start needs. The next start may use what an idle
    /// process holds, and comes after a pause, which grows until one succeeds.
    pub(super) fn start_failed(&mut self, function: usize, why: &End) {
        self.end_longest_idle();
        let now = self.now;
        let shortage = self.functions[function]
            .shortage
            .get_or_insert_with(|| Shortage {
                why: String::new(),
                until: None,
                backoff: Backoff::default(),
            });
        shortage.why = why.to_string();
        // several starts may fail at the same time
        if shortage.until.is_none() {
            let pause = shortage.backoff.pause(Duration::ZERO);
            let until = now + pause.min(LONGEST_SHORTAGE_PAUSE);
            shortage.until = Some(until);
            self.wake_at(until);
        }
        self.make_room();
        self.no_capacity(function, why);
    }

    /// Jobs that may queue wait for the function's other processes. Without any, these and the
    /// other jobs are rejected. They are retried, and use up no retry.
    fn no_capacity(&mut self, function: usize, why: &End) {
        let alarm = matches!(why, End::Shortage(_));
        let why = why.to_string();
        let logged = self.shortage_logged;
        if logged.is_none_or(|at| self.now.saturating_duration_since(at) >= LOG_INTERVAL) {
            self.shortage_logged = Some(self.now);
            let action = Action::Shortage(function, why.clone(), alarm);
            self.actions.push_back(action);
        }
        let alone = self.functions[function].processes.is_empty();
        for job in std::mem::take(&mut self.functions[function].queue) {
            let state = &mut self.functions[function];
            if job.queue_at_limit && !alone {
                state.queue.push_back(job);
            } else {
                let why = state.no_capacity(why.clone());
                self.reject(function, job, why);
            }
        }
    }
}
