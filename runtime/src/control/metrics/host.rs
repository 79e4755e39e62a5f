//! Metrics of the host's own parts: keys, connections, components.

use crate::http::KeyStatus;
use crate::listener::budget::BudgetStats;
use crate::observation::{Exposition, MetricKind};
use crate::supervision::ComponentStatus;

pub(super) fn keys(out: &mut Exposition, keys: Option<&KeyStatus>) {
    let Some(keys) = keys else { return };
    out.single(
        "usher_jwks_keys",
        MetricKind::Gauge,
        "Keys that tokens are checked with.",
        keys.keys as u64,
    );
    let help = "Reads of the key set that failed; the keys before are in force.";
    out.single(
        "usher_jwks_refresh_failures_total",
        MetricKind::Counter,
        help,
        keys.refresh_failures,
    );
}

pub(super) fn connections(out: &mut Exposition, all: &[BudgetStats]) {
    type Read = fn(&BudgetStats) -> u64;
    let families: [(&str, MetricKind, &str, Read); 5] = [
        (
            "usher_connections",
            MetricKind::Gauge,
            "Connections open now.",
            |p| p.open as u64,
        ),
        (
            "usher_connections_limit",
            MetricKind::Gauge,
            "Connections at one time at most.",
            |p| p.limit as u64,
        ),
        (
            "usher_connections_closed_total",
            MetricKind::Counter,
            "Connections closed to make room for others.",
            |p| p.closed,
        ),
        (
            "usher_body_bytes",
            MetricKind::Gauge,
            "Bytes of request bodies held now.",
            |p| p.body_bytes as u64,
        ),
        (
            "usher_body_bytes_limit",
            MetricKind::Gauge,
            "Bytes of request bodies at one time at most.",
            |p| p.body_limit as u64,
        ),
    ];
    for (name, kind, help, read) in families {
        out.family(name, kind, help);
        for budget in all {
            out.sample(name, &[("ports", budget.ports)], read(budget));
        }
    }
}

pub(super) fn parts(out: &mut Exposition, parts: &[ComponentStatus]) {
    type Read = fn(&ComponentStatus) -> u64;
    let families: [(&str, MetricKind, &str, Read); 2] = [
        (
            "restarts_total",
            MetricKind::Counter,
            "Starts of a part after its first: it had ended by an error or a panic.",
            |p| p.restarts,
        ),
        (
            "up",
            MetricKind::Gauge,
            "1 while a part runs; 0 until it has run for 10 s after a restart.",
            |p| p.up.into(),
        ),
    ];
    for (name, kind, help, read) in families {
        let name = format!("usher_part_{name}");
        out.family(&name, kind, help);
        for part in parts {
            out.sample(&name, &[("part", &part.part)], read(part));
        }
    }
}
