//! What is due of an instance: its deadlines, its idle time, its end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Instance;
use crate::instances::failure;
use crate::invocation::Outcome;

/// What the supervisor must do.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::instances) enum Due {
    /// Nothing before this instant.
    At(Instant),
    /// Initialisation takes too long.
    InitTimeout,
    /// The invocation in flight is out of time: its process must end.
    Deadline,
    /// It answered and has not called for more in time.
    Overdue,
    /// Idle long enough to be stopped.
    Idle,
    /// Killed on purpose.
    Killed,
    /// To be stopped (too large an answer, init error, drain).
    Stop,
}

impl Instance {
    /// What is due now. Where several events share the process, those out of time are answered here
    /// and the process lives on.
    pub(in crate::instances) fn check(
        &self,
        now: Instant,
        init_limit: Duration,
        idle_limit: Duration,
    ) -> Due {
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
                let outcome = Outcome::Error(failure::timed_out(id, timeout));
                self.close_failed(&mut state, id, entry, outcome);
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
        if let Some(return_by) = state.return_by {
            if now < return_by {
                return Due::At(return_by);
            }
            state.return_by = None;
            return Due::Overdue;
        }
        let retire_at = state.idle_since + idle_limit;
        if now >= retire_at {
            Due::Idle
        } else {
            Due::At(retire_at)
        }
    }
}
