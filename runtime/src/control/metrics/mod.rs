//! `GET /metrics`: counters and gauges of functions and sources, and the metrics that functions
//! print (EMF).

mod events;
mod functions;
mod host;
mod kafka;
mod printed;
mod queues;
mod sources;

use event_sources::Millis;

use super::status::HostStatus;
use crate::observation::{Exposition, MetricKind, Observations};

pub(super) fn render(status: &HostStatus, observations: &Observations) -> String {
    let mut out = Exposition::default();
    out.single(
        "usher_memory_bytes",
        MetricKind::Gauge,
        "Resident memory of the host's own process.",
        status.memory_bytes,
    );
    let started = status.started_ms as f64 / 1000.0;
    out.single(
        "usher_start_time_seconds",
        MetricKind::Gauge,
        "When the host started, seconds since 1970.",
        started,
    );
    functions::functions(&mut out, &status.functions);
    functions::durations(&mut out, observations);
    kafka::kafka(&mut out, &status.mappings);
    queues::queues(&mut out, &status.queues);
    events::events(&mut out, &status.events);
    sources::sources(&mut out, status);
    host::keys(&mut out, status.keys.as_ref());
    host::connections(&mut out, &status.connections);
    host::parts(&mut out, &status.parts);
    printed::printed(&mut out, &observations.series());
    out.finish()
}

fn seconds(milliseconds: Millis) -> f64 {
    milliseconds as f64 / 1000.0
}

#[cfg(test)]
#[path = "../../../tests/host/exposition.rs"]
mod exposition;

#[cfg(test)]
mod tests;
