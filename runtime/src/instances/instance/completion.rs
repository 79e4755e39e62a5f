//! Ends invocations in flight: by the function's answer, or by the end of its process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{InFlight, Instance, State};
use crate::faults::Kill;
use crate::instances::records::{LogLine, PhaseStatus};
use crate::invocation::Outcome;

/// Time for the next call of an instance that answered. After it, queued jobs get another instance.
const RETURN_TIMEOUT: Duration = Duration::from_millis(200);

impl Instance {
    /// An answer arrived. False: no such invocation is in flight (it is late, or answered before).
    pub(in crate::instances) fn complete(
        &self,
        request_id: &str,
        invocation_id: Option<&str>,
        outcome: Outcome,
    ) -> bool {
        let in_flight = |state: &State| {
            let entry = state.in_flight.get(request_id);
            entry.is_some_and(|entry| invocation_id.is_none_or(|id| id == entry.invocation_id))
        };
        if !in_flight(&self.state()) {
            return false;
        }
        // before the caller receives the answer: its next invocation then waits for this instance
        // rather than start another
        self.runner.dispatcher.returning(self.id);
        let mut state = self.state();
        if state.killed
            || state
                .in_flight
                .get(request_id)
                .is_some_and(|entry| entry.kill == Some(Kill::Late))
        {
            // the plan kills the process with its answer; the supervisor answers for it
            state.killed = true;
            drop(state);
            self.changed.notify_one();
            return true;
        }
        let Some((id, entry)) = state.in_flight.remove_entry(request_id) else {
            return false;
        };
        state.return_by = Some(Instant::now() + RETURN_TIMEOUT);
        self.close(&mut state, &id, entry, outcome, true);
        drop(state);
        self.changed.notify_one();
        true
    }

    /// Ends everything in flight with an outcome by request id.
    pub(in crate::instances) fn end_all(&self, outcome: impl Fn(&str) -> Outcome) {
        let mut state = self.state();
        state.stopping = true;
        let failed = std::mem::take(&mut state.in_flight);
        // `outcome` may lock the state
        drop(state);
        for (id, entry) in failed {
            let outcome = outcome(&id);
            self.close_failed(&mut self.state(), &id, entry, outcome);
        }
    }

    pub(super) fn close_failed(
        &self,
        state: &mut State,
        request_id: &Arc<str>,
        entry: InFlight,
        outcome: Outcome,
    ) {
        if let Some(error) = outcome.error() {
            let text = error.message.clone();
            self.runner
                .log
                .write(Some(request_id), LogLine::Failure { text });
        }
        self.close(state, request_id, entry, outcome, false);
    }

    /// `reported`: the function itself sent this outcome.
    fn close(
        &self,
        state: &mut State,
        request_id: &Arc<str>,
        entry: InFlight,
        outcome: Outcome,
        reported: bool,
    ) {
        let status = PhaseStatus::of(&outcome, reported);
        let bytes = match &outcome {
            Outcome::Answer(body) => body.len(),
            Outcome::Error(error) | Outcome::Interrupted(error) => error.body.len(),
        };
        if matches!(outcome, Outcome::Error(_)) {
            state.errors += 1;
        }
        state.idle_since = Instant::now();
        state.last_request = Some(request_id.clone());
        let duration = entry.started.elapsed();
        let init = entry.init;
        self.runner
            .observe_end(request_id, entry.records, duration, init, outcome.error());
        // the receiver is gone where the caller gave up
        let _ = entry.reply.send(Ok(outcome));
        let log = &self.runner.log;
        log.write(
            Some(request_id),
            LogLine::End {
                duration,
                status: status.clone(),
                bytes,
            },
        );
        log.write(
            Some(request_id),
            LogLine::Report {
                duration,
                init,
                memory_mb: self.runner.function.memory_mb,
                pid: state.pid,
                status,
            },
        );
    }
}
