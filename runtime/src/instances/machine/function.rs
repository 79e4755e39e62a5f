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
    /// Processes by number, once for each call that waits. Last in, first out: the warmest works,
    /// the others may become idle and end.
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

    /// Processes that have not finished their initialisation.
    pub(super) fn starting(&self) -> usize {
        let processes = self.processes.values();
        processes.filter(|process| !process.is_ready()).count()
    }

    /// So many jobs are more than the processes that will soon call for one.
    pub(super) fn is_uncovered(&self, jobs: usize) -> bool {
        let expected = |process: &&ProcessState| !process.is_ready() || process.return_by.is_some();
        jobs > self.processes.values().filter(expected).count()
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
        let free = !self.idle.is_empty() || self.may_start();
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
        Rejected::Throttled(ConcurrencyLimit {
            function: self.function.id.clone(),
            limit: self.limit,
            reserved: self.function.concurrency.map(|limit| limit as usize) == Some(self.limit),
        })
    }

    pub(super) fn stats(&self, now: Instant) -> FunctionStats {
        let processes = self.processes.iter();
        FunctionStats {
            function: self.function.id.clone(),
            queued: self.queue.len(),
            limit: self.limit,
            instances: processes
                .map(|(number, process)| process.stats(*number, now))
                .collect(),
            ..self.counts.clone()
        }
    }
}
