//! The state of one process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Machine;
use super::events::{InvocationId, Job, ProcessId};
use crate::instances::failure::End;
use crate::instances::stats::{InFlightStats, InstanceState, InstanceStats};
use crate::invocation::{FunctionError, Outcome};

/// Extensions of one process at most (Lambda's limit).
const MAX_EXTENSIONS: usize = 10;

/// Why an extension is not registered, with the messages of AWS's emulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::instances) enum NotRegistered {
    #[error("Extension registration closed already")]
    Closed,
    #[error("Extension with this name already registered")]
    NameTaken,
    #[error("Extension limit ({MAX_EXTENSIONS}) reached")]
    TooMany,
}

/// An extension within the process.
#[derive(Debug)]
pub(super) struct Extension {
    name: String,
    /// It has requested its first event.
    pub(super) ready: bool,
}

/// Where a process stands.
#[derive(Debug)]
pub(super) enum Phase {
    /// It starts at this time: the host lost the one before.
    Paused(Instant),
    /// It starts when another process has ended.
    Waiting {
        give_up: Instant,
        /// An idle process is being ended for it.
        promised: bool,
    },
    /// Its start was requested.
    Running,
    /// It is being ended.
    Ending {
        why: End,
        /// It was requested to end, and is killed then.
        kill_at: Option<Instant>,
    },
}

#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) job: Job,
    pub(super) started: Instant,
    pub(super) init: Option<Duration>,
}

#[derive(Debug)]
pub(super) struct ProcessState {
    pub(super) phase: Phase,
    /// `None` until the executable runs.
    pub(super) pid: Option<u32>,
    /// The executable was started twice, since its first initialisation took too long.
    pub(super) is_repeated: bool,
    pub(super) since: Instant,
    pub(super) ready_since: Option<Instant>,
    /// Duration of the initialisation, until an invocation reports it.
    pub(super) init: Option<Duration>,
    pub(super) init_error: Option<FunctionError>,
    /// By identifier.
    pub(super) extensions: BTreeMap<String, Extension>,
    /// `next` calls that arrived before initialisation was complete.
    pub(super) early_calls: usize,
    pub(super) in_flight: BTreeMap<InvocationId, InFlight>,
    pub(super) last_request: Option<Arc<str>>,
    pub(super) idle_since: Instant,
    /// It has answered, and its next call is expected by then.
    pub(super) return_by: Option<Instant>,
    /// Invocations that it can take at one time: as many as it called for. With more than one, a
    /// deadline fails the invocation and not the process, and the process is not frozen.
    pub(super) concurrency: usize,
    pub(super) frozen: bool,
    pub(super) invocations: u64,
    pub(super) errors: u64,
}

impl ProcessState {
    pub(super) fn new(phase: Phase, now: Instant) -> Self {
        Self {
            phase,
            pid: None,
            is_repeated: false,
            since: now,
            ready_since: None,
            init: None,
            init_error: None,
            extensions: BTreeMap::new(),
            early_calls: 0,
            in_flight: BTreeMap::new(),
            last_request: None,
            idle_since: now,
            return_by: None,
            concurrency: 1,
            frozen: false,
            invocations: 0,
            errors: 0,
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.ready_since.is_some()
    }

    pub(super) fn is_busy(&self) -> bool {
        !self.in_flight.is_empty()
    }

    /// It neither works nor is about to call for its next event.
    pub(super) fn is_free(&self) -> bool {
        !self.is_busy() && self.return_by.is_none()
    }

    pub(super) fn is_ending(&self) -> bool {
        matches!(self.phase, Phase::Ending { .. })
    }

    /// It is killed on purpose, by the plan of faults.
    pub(super) fn is_killed(&self) -> bool {
        let Phase::Ending { why, .. } = &self.phase else {
            return false;
        };
        matches!(why, End::Killed)
    }

    /// Its first initialisation took too long: it is ended, and started once more.
    pub(super) fn starts_again(&self) -> bool {
        let Phase::Ending { why, .. } = &self.phase else {
            return false;
        };
        matches!(why, End::TimedOut(_)) && !self.is_ready() && !self.is_repeated
    }

    /// Removes an invocation, and counts how it ended.
    pub(super) fn finish(
        &mut self,
        invocation: &InvocationId,
        outcome: &Outcome,
        now: Instant,
    ) -> Option<InFlight> {
        let entry = self.in_flight.remove(invocation)?;
        self.idle_since = now;
        self.last_request = Some(entry.job.request_id.clone());
        self.errors += u64::from(matches!(outcome, Outcome::Error(_)));
        Some(entry)
    }

    pub(super) fn stats(&self, number: u64, now: Instant) -> InstanceStats {
        let running_ms = |since| now.saturating_duration_since(since).as_millis() as u64;
        let in_flight = self.in_flight.values().map(|entry| InFlightStats {
            request_id: entry.job.request_id.to_string(),
            records: entry.job.records,
            running_ms: running_ms(entry.started),
        });
        InstanceStats {
            id: number,
            pid: self.pid,
            state: match () {
                () if self.is_ending() => InstanceState::Stopping,
                () if !self.is_ready() => InstanceState::Starting,
                () if self.is_busy() => InstanceState::Busy,
                () => InstanceState::Idle,
            },
            invocations: self.invocations,
            errors: self.errors,
            in_flight: in_flight.collect(),
        }
    }
}

/// What the calls of a process need to know before they are answered.
impl Machine {
    fn read(&self, id: ProcessId) -> Option<&ProcessState> {
        self.functions[id.function].processes.get(&id.number)
    }

    pub(in crate::instances) fn is_ready(&self, id: ProcessId) -> bool {
        self.read(id).is_some_and(ProcessState::is_ready)
    }

    /// The invocation in flight that an answer belongs to. `None`: the answer is late, or the
    /// second one.
    pub(in crate::instances) fn in_flight(
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
    /// last one. (A pipe is read later than the answer that followed what was written to it.)
    pub(in crate::instances) fn current_request(&self, id: ProcessId) -> Option<Arc<str>> {
        let process = self.read(id)?;
        let mut in_flight = process.in_flight.values();
        match (in_flight.next(), in_flight.next()) {
            (None, _) => process.last_request.clone(),
            (Some(entry), None) => Some(entry.job.request_id.clone()),
            (Some(_), Some(_)) => None,
        }
    }

    /// Whether a registered extension has requested its first event.
    pub(in crate::instances) fn extension(&self, id: ProcessId, extension: &str) -> Option<bool> {
        let extension = self.read(id)?.extensions.get(extension)?;
        Some(extension.ready)
    }

    /// Registers an extension under a new identifier. Once initialisation has ended this fails,
    /// unless the request was `sent_before`: a runtime library may register and request its first
    /// event on two connections at the same time.
    pub(in crate::instances) fn register(
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
