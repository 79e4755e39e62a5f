//! `GET /metrics`: counters and gauges of functions and sources, and the metrics that functions
//! print (EMF).

mod host;
mod printed;
mod sources;

use super::status::HostStatus;
use crate::observation::{Exposition, MetricKind, Observations, host_alarms};

pub(super) fn render(status: &HostStatus, observations: &Observations) -> String {
    let mut out = Exposition::default();
    host::process(&mut out, status);
    host::functions(&mut out, &status.functions);
    host::durations(&mut out, observations);
    sources::sources(&mut out, &status.sources);
    host::parts(&mut out, status);
    printed::alarms(&mut out, &[host_alarms(), observations.alarms()]);
    printed::printed(&mut out, &observations.series());
    out.finish()
}

/// A family of metrics: the end of its name, its text of help, and the value of one item; `None`:
/// the item has no sample.
type Family<T> = (&'static str, &'static str, fn(&T) -> Option<f64>);

/// Writes a table of families, each with a sample for every item.
fn table<T, const LABELS: usize>(
    out: &mut Exposition,
    prefix: &str,
    items: &[T],
    labels: fn(&T) -> [(&'static str, &str); LABELS],
    families: &[Family<T>],
) {
    for (name, help, value) in families {
        let name = format!("{prefix}_{name}");
        out.family(&name, MetricKind::of(&name), help);
        for item in items {
            if let Some(value) = value(item) {
                out.sample(&name, &labels(item), value);
            }
        }
    }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "a column of a table, where a value may be absent"
)]
fn count(number: usize) -> Option<f64> {
    Some(number as f64)
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "a column of a table, where a value may be absent"
)]
fn total(number: u64) -> Option<f64> {
    Some(number as f64)
}

#[cfg(test)]
#[path = "../../../tests/host/exposition.rs"]
mod exposition;

#[cfg(test)]
mod tests;
