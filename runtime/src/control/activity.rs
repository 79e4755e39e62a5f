//! What happened last.

use serde::Serialize;

use super::Host;
use crate::observation::{FailureGroup, RecentInvocation};

/// `GET /_usher/activity`, newest first. Failures that look alike are one entry with their number.
#[derive(Debug, Serialize)]
pub(super) struct Activity {
    invocations: Vec<RecentInvocation>,
    failures: Vec<FailureGroup>,
}

pub(super) fn picture(host: &Host) -> Activity {
    Activity { invocations: host.observations.invocations(), failures: host.observations.failures() }
}
