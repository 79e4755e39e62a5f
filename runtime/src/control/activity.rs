//! What happened last.

use serde::Serialize;

use super::ControlState;
use crate::observation::{Ended, FailureGroup, RecentInvocation};

/// `GET /_usher/activity`, newest first.
#[derive(Debug, Serialize)]
pub(super) struct Activity {
    invocations: Vec<RecentInvocation>,
    failures: Vec<Ended>,
    /// Failures that look alike, with their number.
    failure_groups: Vec<FailureGroup>,
}

pub(super) fn snapshot(state: &ControlState) -> Activity {
    let seen = &state.observations;
    Activity {
        invocations: seen.invocations(),
        failures: seen.failures(),
        failure_groups: seen.failure_groups(),
    }
}
