//! Goals of the delay queue: against the peers that acknowledge entries, and by itself.

use super::own::Own;
use super::peers::PeerRun;
use super::lateness::PACE;
use super::{Persistence, Report, own};
use crate::figures::goal;
use crate::report::Bound::{AtLeast, AtMost};

/// Times the best peer.
const RATIO: f64 = 3.5;

/// Prints the goals and what was measured.
pub(super) fn goals(persistence: Persistence, own: &Own, runs: &[PeerRun]) {
    let label = persistence.label();
    let peers = || runs.iter().filter(|run| run.acknowledges);
    let ratio = |name: &str, value: fn(&Report) -> f64| {
        let best = peers().map(|run| value(&run.report)).reduce(f64::max);
        if let Some(best) = best {
            let name = format!("delay queue, {label}: {name}, to the best of BullMQ and asynq");
            goal(&name, value(&own.report) / best, AtLeast(RATIO), "times");
        }
    };
    ratio("schedule one a call", |r| r.singles);
    ratio("schedule many a call", |r| r.bulk.unwrap_or(r.singles));
    ratio("acknowledged drain", |r| r.drain);
    ratio("burst", |r| 1.0 / r.burst_ms);
    let alone = |name: &str, value, bound, unit| {
        goal(&format!("delay queue, {label}: {name}"), value, bound, unit);
    };
    let drain = own.report.drain;
    alone("drain by a worker", drain, AtLeast(100_000.0), "entries/s");
    let name = format!("{} due at once", own::AT_ONCE);
    alone(&name, own.at_once_ms, AtMost(1_000.0), "ms");
    let bytes = own.report.bytes;
    alone("memory of a waiting entry", bytes, AtMost(240.0), "bytes");
    if let Some([_, p99, p999]) = own.report.late_ms {
        let name = |quantile| format!("lateness at {PACE}/s, {quantile}");
        alone(&name("p99"), p99, AtMost(2.0), "ms");
        alone(&name("p99.9"), p999, AtMost(5.0), "ms");
    }
}
