//! `GET /_usher/activity`: the last invocations and failures.

use serde::Serialize;

use super::ControlState;
use crate::observation::{Ended, FailureGroup, RecentInvocation};

/// The response, newest first.
#[derive(Debug, Serialize)]
pub(super) struct Activity {
    invocations: Vec<RecentInvocation>,
    failures: Vec<Ended>,
    /// Similar failures, counted.
    failure_groups: Vec<FailureGroup>,
}

pub(super) fn snapshot(state: &ControlState) -> Activity {
    let observations = &state.observations;
    Activity {
        invocations: observations.invocations(),
        failures: observations.failures(),
        failure_groups: observations.failure_groups(),
    }
}
