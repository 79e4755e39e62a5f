//! The state of one process.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::events::{InvocationId, Job};
use crate::instances::failure::End;
use crate::instances::stats::{InFlightStats, InstanceState, InstanceStats};
use crate::invocation::FunctionError;

/// An extension within the process.
#[derive(Debug)]
pub(super) struct Extension {
    pub(super) name: String,
    /// It has requested its first event.
    pub(super) ready: bool,
}

/// Where a process stands.
#[derive(Debug, Default)]
pub(super) enum Phase {
    /// It starts at this time: the host lost the one before.
    Paused(Instant),
    /// It starts when another process has ended, or is given up at this time.
    Waiting(Instant),
    /// Its start was requested.
    #[default]
    Running,
    /// It is being ended. One that was requested to end is killed at this time.
    Ending(End, Option<Instant>),
}

#[derive(Debug)]
pub(super) struct InFlight {
    pub(super) job: Job,
    pub(super) started: Instant,
    pub(super) init: Option<Duration>,
}

#[derive(Debug, Default)]
pub(super) struct ProcessState {
    pub(super) phase: Phase,
    /// `None` until the executable runs.
    pub(super) pid: Option<u32>,
    /// On managed instances: invocations at one time at most. A deadline then fails the invocation
    /// and not the process, initialisation is not repeated, and the process is never frozen. `None`:
    /// it takes one at a time, or as many as it calls for.
    pub(super) max_events: Option<usize>,
    /// The executable was started twice, since its first initialisation took too long.
    pub(super) is_repeated: bool,
    /// When the executable was started.
    pub(super) since: Option<Instant>,
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
    pub(super) idle_since: Option<Instant>,
    /// Calls are expected by then: it has answered, or its first calls are arriving.
    pub(super) return_by: Option<Instant>,
    /// Invocations that it takes at one time: the most that it called for. With more than one, a
    /// deadline fails the invocation and not the process, and the process is not frozen.
    pub(super) concurrency: usize,
    /// On managed instances: the first calls are arriving, up to [`Self::max_events`].
    pub(super) is_opening: bool,
    /// On managed instances: invocations whose deadline has passed and that were not answered since,
    /// with their request ids. The function still works on them.
    pub(super) late: VecDeque<(InvocationId, Arc<str>)>,
    pub(super) frozen: bool,
    pub(super) invocations: u64,
    pub(super) errors: u64,
}

impl ProcessState {
    pub(super) fn is_ready(&self) -> bool {
        self.ready_since.is_some()
    }

    pub(super) fn is_busy(&self) -> bool {
        !self.in_flight.is_empty()
    }

    /// A deadline fails the invocation alone.
    pub(super) fn outlives_deadlines(&self) -> bool {
        self.max_events.is_some() || self.concurrency > 1
    }

    /// It may receive one more invocation.
    pub(super) fn has_room(&self) -> bool {
        self.max_events.is_none_or(|max| self.in_flight.len() < max)
    }

    /// Jobs that it will soon call for, where so many of its calls wait already.
    pub(super) fn expected_calls(&self, waiting: usize) -> usize {
        let most = self.max_events.unwrap_or(1);
        if !self.is_ready() {
            return most;
        }
        if self.return_by.is_none() {
            return 0;
        }
        let all = if self.is_opening {
            most
        } else {
            self.concurrency
        };
        all.saturating_sub(waiting + self.in_flight.len() + self.late.len())
    }

    /// Its deadline has passed: the function works on, and holds the place of one invocation.
    pub(super) fn remember_late(&mut self, invocation: InvocationId, request_id: Arc<str>) {
        let Some(max) = self.max_events else {
            return;
        };
        self.late.push_back((invocation, request_id));
        if self.late.len() > max {
            self.late.pop_front();
        }
    }

    /// It neither works nor is about to call for its next event.
    pub(super) fn is_free(&self) -> bool {
        !self.is_busy() && self.return_by.is_none()
    }

    /// Why it is being ended.
    pub(super) fn end(&self) -> Option<&End> {
        match &self.phase {
            Phase::Ending(why, _) => Some(why),
            _ => None,
        }
    }

    /// Its first initialisation took too long: it is ended, and started once more.
    pub(super) fn starts_again(&self) -> bool {
        let repeats = !self.is_repeated && self.max_events.is_none();
        matches!(self.end(), Some(End::TimedOut(_))) && !self.is_ready() && repeats
    }

    /// Removes an invocation that ends.
    pub(super) fn finish(
        &mut self,
        invocation: &InvocationId,
        failed: bool,
        now: Instant,
    ) -> Option<InFlight> {
        let entry = self.in_flight.remove(invocation)?;
        self.idle_since = Some(now);
        self.last_request = Some(entry.job.request_id.clone());
        self.errors += u64::from(failed);
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
                () if self.end().is_some() => InstanceState::Stopping,
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
