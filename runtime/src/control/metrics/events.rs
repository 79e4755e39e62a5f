//! Metrics of asynchronous events.

use crate::asynchronous::AsyncStats;
use crate::observation::{Exposition, MetricKind};

pub(super) fn events(out: &mut Exposition, events: &[AsyncStats]) {
    type Read = fn(&AsyncStats) -> u64;
    let families: [(&str, MetricKind, &str, Read); 4] = [
        (
            "waiting",
            MetricKind::Gauge,
            "Asynchronous events that are to run, or to be tried again.",
            |e| e.waiting as u64,
        ),
        (
            "running",
            MetricKind::Gauge,
            "Asynchronous events at the function.",
            |e| e.running as u64,
        ),
        (
            "delivering",
            MetricKind::Gauge,
            "Ended events that some destination has not received yet.",
            |e| e.delivering as u64,
        ),
        (
            "lost_total",
            MetricKind::Counter,
            "Events given up without a record: no destination, or none that takes it.",
            |e| e.lost,
        ),
    ];
    for (name, kind, help, read) in families {
        let name = format!("usher_events_{name}");
        out.family(&name, kind, help);
        for of in events {
            out.sample(&name, &[("function", &of.function)], read(of));
        }
    }
}
