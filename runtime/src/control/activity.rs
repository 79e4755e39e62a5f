//! What happened last.

use serde::Serialize;

use super::Host;
use crate::observation::Ended;

/// `GET /_usher/activity`, newest first.
#[derive(Debug, Serialize)]
pub(super) struct Activity {
    invocations: Vec<Ended>,
    failures: Vec<Ended>,
}

pub(super) fn picture(host: &Host) -> Activity {
    Activity { invocations: host.observations.invocations(), failures: host.observations.failures() }
}
