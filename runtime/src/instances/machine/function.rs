//! The state of one function: its queue, its processes, its limits.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use super::events::Job;
use super::process::ProcessState;
use crate::instances::stats::FunctionStats;
use crate::invocation::{ConcurrencyLimit, Rejected};
use crate::supervision::Backoff;
use sam_template::model::Function;

/// The host could not start a process, and none has started since.
#[derive(Debug)]
pub(super) struct Shortage {
    /// What is short.
    pub(super) why: String,
    /// No process starts before; `None`: that time has passed.
    pub(super) until: Option<Instant>,
    pub(super) backoff: Backoff,
}

#[derive(Debug)]
pub(super) struct FunctionState {
    pub(super) function: Function,
    pub(super) limit: usize,
    /// Processes by number, once for each call that waits. [`Self::take_call`] chooses among them.
    pub(super) idle: Vec<u64>,
    /// First in, first out.
    pub(super) queue: VecDeque<Job>,
    pub(super) processes: BTreeMap<u64, ProcessState>,
    pub(super) last_number: u64,
    pub(super) shortage: Option<Shortage>,
    /// Pauses after faults of the host.
    pub(super) backoff: Backoff,
    /// Counts since the host started.
    pub(super) counts: FunctionStats,
}

impl FunctionState {
    pub(super) fn new((function, limit): (Function, usize)) -> Self {
        Self {
            function,
            limit,
            idle: Vec::new(),
            queue: VecDeque::new(),
            processes: BTreeMap::new(),
            last_number: 0,
            shortage: None,
            backoff: Backoff::default(),
            counts: FunctionStats::default(),
        }
    }

    /// On managed instances: invocations of one process at one time at most.
    pub(super) fn max_events(&self) -> Option<usize> {
        let managed = self.function.managed.as_ref()?;
        Some(managed.max_concurrency as usize)
    }

    /// Jobs that the processes take which have not finished their initialisation.
    pub(super) fn starting(&self) -> usize {
        let processes = self.processes.values();
        let starting = processes.filter(|process| !process.is_ready());
        starting.map(|process| process.expected_calls(0)).sum()
    }

    /// So many jobs are more than processes will soon call for.
    pub(super) fn is_uncovered(&self, jobs: usize) -> bool {
        let processes = self.processes.iter();
        let expected = processes.map(|(number, process)| {
            let waiting = self.idle.iter().filter(|idle| *idle == number);
            process.expected_calls(waiting.count())
        });
        jobs > expected.sum()
    }

    /// Takes the call that receives the next job.
    ///
    /// A process that takes one invocation at a time: the call that came last, so that the warmest
    /// process works, and the others may become idle and end. On managed instances: a call of the
    /// process with the fewest invocations in flight, the oldest of equals, so that processes share
    /// the load, and one is enough for a low one.
    pub(super) fn take_call(&mut self) -> Option<u64> {
        if self.function.managed.is_none() {
            return self.idle.pop();
        }
        let processes = self.processes.iter();
        let able = processes.filter(|(number, process)| {
            process.has_room() && self.idle.contains(number) && !self.is_surplus(**number)
        });
        let least = able.min_by_key(|(number, process)| (process.in_flight.len(), **number));
        let number = *least?.0;
        self.forget_call(number);
        Some(number)
    }

    /// Removes one waiting call of a process.
    pub(super) fn forget_call(&mut self, number: u64) -> bool {
        let at = self.idle.iter().rposition(|idle| *idle == number);
        at.map(|at| self.idle.remove(at)).is_some()
    }

    /// The process is above a limit that was lowered: it receives nothing more, and ends when it
    /// has finished. The oldest are kept.
    pub(super) fn is_surplus(&self, number: u64) -> bool {
        if self.processes.len() <= self.limit {
            return false;
        }
        let processes = self.processes.iter();
        let mut kept = processes
            .filter(|(_, process)| process.end().is_none())
            .take(self.limit);
        kept.all(|(kept, _)| *kept != number)
    }

    /// A waiting call may receive a job now.
    fn has_free_call(&self) -> bool {
        let free = |number: &u64| {
            let process = self.processes.get(number);
            process.is_some_and(ProcessState::has_room) && !self.is_surplus(*number)
        };
        self.idle.iter().any(free)
    }

    /// What keeps the function from starting a process now.
    pub(super) fn shortage(&self) -> Option<&str> {
        let shortage = self.shortage.as_ref()?;
        shortage.until.map(|_| shortage.why.as_str())
    }

    /// One more process is within the limit, and the function does not back off.
    pub(super) fn may_start(&self) -> bool {
        self.processes.len() < self.limit && self.shortage().is_none()
    }

    /// A process that waits for its start is still needed, and may start.
    pub(super) fn keeps_start(&self) -> bool {
        let within_limit = self.processes.len() <= self.limit;
        !self.queue.is_empty() && within_limit && self.shortage().is_none()
    }

    pub(super) fn is_available(&self) -> bool {
        let free = self.has_free_call() || self.may_start();
        !self.is_uncovered(self.queue.len() + 1) || (free && self.queue.is_empty())
    }

    /// The answer to a job that finds no process.
    pub(super) fn refusal(&self) -> Rejected {
        self.shortage()
            .map_or_else(|| self.throttled(), |why| self.no_capacity(why.to_owned()))
    }

    pub(super) fn no_capacity(&self, why: String) -> Rejected {
        Rejected::NoCapacity {
            function: self.function.id.clone(),
            why,
        }
    }

    pub(super) fn throttled(&self) -> Rejected {
        let function = &self.function;
        let managed = function.managed.as_ref();
        let own = managed.is_some_and(|managed| managed.max_instances.is_some());
        let reserved = function
            .concurrency
            .filter(|reserved| *reserved == 0 || !own);
        let reserved = reserved.and_then(|_| function.max_instances());
        Rejected::Throttled(ConcurrencyLimit {
            function: function.id.clone(),
            limit: self.limit,
            per_instance: function.per_instance() as usize,
            reserved: reserved.map(|limit| limit as usize) == Some(self.limit),
        })
    }

    pub(super) fn stats(&self, now: Instant) -> FunctionStats {
        let processes = self.processes.iter();
        FunctionStats {
            function: self.function.id.clone(),
            queued: self.queue.len(),
            limit: self.limit,
            per_instance: self.function.per_instance() as usize,
            instances: processes
                .map(|(number, process)| process.stats(*number, now))
                .collect(),
            ..self.counts.clone()
        }
    }
}
