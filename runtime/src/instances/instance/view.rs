//! Reads an instance's state; nothing here changes it.

use std::sync::Arc;

use super::Instance;
use crate::instances::stats::{InFlightStats, InstanceState, InstanceStats};
use crate::invocation::FunctionError;

impl Instance {
    pub(in crate::instances) fn is_ready(&self) -> bool {
        self.state().ready
    }

    pub(in crate::instances) fn has_extensions(&self) -> bool {
        !self.state().extensions.is_empty()
    }

    pub(in crate::instances) fn init_error(&self) -> Option<FunctionError> {
        self.state().init_error.clone()
    }

    /// The request that a line of output most likely belongs to: the only one in flight, else the
    /// last one. (A pipe is read later than the answer that followed what was written to it.)
    pub(in crate::instances) fn current_request(&self) -> Option<Arc<str>> {
        let state = self.state();
        match state.in_flight.len() {
            0 => state.last_request.clone(),
            1 => state.in_flight.keys().next().cloned(),
            _ => None,
        }
    }

    pub(super) fn snapshot(&self) -> InstanceStats {
        let state = self.state();
        let in_flight = state
            .in_flight
            .iter()
            .map(|(id, entry)| InFlightStats {
                request_id: id.to_string(),
                records: entry.records,
                running_ms: entry.started.elapsed().as_millis() as u64,
            })
            .collect::<Vec<_>>();
        InstanceStats {
            id: self.id,
            pid: state.pid,
            state: match () {
                () if state.stopping => InstanceState::Stopping,
                () if !state.ready => InstanceState::Starting,
                () if in_flight.is_empty() => InstanceState::Idle,
                () => InstanceState::Busy,
            },
            invocations: state.invocations,
            errors: state.errors,
            in_flight,
        }
    }
}
