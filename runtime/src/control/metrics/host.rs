//! Metrics of the host's process, of functions and their processes, and of the host's own parts:
//! keys, connections, components.

use super::{Family, count, table, total};
use crate::control::status::HostStatus;
use crate::instances::{FunctionStats, InstanceState};
use crate::listener::budget::BudgetStats;
use crate::observation::{Durations, Exposition, Histogram, MetricKind, Observations};
use crate::supervision::ComponentStatus;

const FUNCTIONS: [Family<FunctionStats>; 8] = [
    ("invocations_total", "Invocations that ended.", |f| {
        total(f.invocations)
    }),
    (
        "errors_total",
        "Invocations that ended in a function error.",
        |f| total(f.errors),
    ),
    (
        "throttles_total",
        "Invocations refused at the concurrency limit.",
        |f| total(f.throttles),
    ),
    ("cold_starts_total", "Processes started.", |f| {
        total(f.cold_starts)
    }),
    ("concurrent_executions", "Invocations in flight.", |f| {
        count(
            f.instances
                .iter()
                .map(|instance| instance.in_flight.len())
                .sum(),
        )
    }),
    ("queued", "Invocations that wait for an instance.", |f| {
        count(f.queued)
    }),
    ("instances", "Processes that are not stopping.", |f| {
        count(
            f.instances
                .iter()
                .filter(|one| one.state != InstanceState::Stopping)
                .count(),
        )
    }),
    ("concurrency_limit", "Processes at one time at most.", |f| {
        count(f.limit)
    }),
];

const CONNECTIONS: [Family<BudgetStats>; 5] = [
    ("connections", "Connections open now.", |p| count(p.open)),
    (
        "connections_limit",
        "Connections at one time at most.",
        |p| count(p.limit),
    ),
    (
        "connections_closed_total",
        "Connections closed to make room for others.",
        |p| total(p.closed),
    ),
    ("body_bytes", "Bytes of request bodies held now.", |p| {
        count(p.body_bytes)
    }),
    (
        "body_bytes_limit",
        "Bytes of request bodies at one time at most.",
        |p| count(p.body_limit),
    ),
];

const PARTS: [Family<ComponentStatus>; 2] = [
    (
        "restarts_total",
        "Starts of a part after its first: it had ended by an error or a panic.",
        |p| total(p.restarts),
    ),
    (
        "up",
        "1 while a part runs; 0 until it has run for 10 s after a restart.",
        |p| total(p.up.into()),
    ),
];

pub(super) fn process(out: &mut Exposition, status: &HostStatus) {
    let help = "Resident memory of the host's own process.";
    out.single("usher_memory_bytes", help, status.memory_bytes);
    let help = "When the host started, seconds since 1970.";
    let started = status.started_ms as f64 / 1000.0;
    out.single("usher_start_time_seconds", help, started);
}

pub(super) fn functions(out: &mut Exposition, all: &[FunctionStats]) {
    table(
        out,
        "usher_function",
        all,
        |f| [("function", &f.function)],
        &FUNCTIONS,
    );
}

pub(super) fn durations(out: &mut Exposition, observations: &Observations) {
    let durations = observations.durations();
    let mut family = |name: &str, help: &str, of: fn(&Durations) -> &Histogram| {
        out.family(name, MetricKind::Histogram, help);
        for (function, durations) in &durations {
            out.histogram(name, &[("function", function)], of(durations));
        }
    };
    let help = "From the start of an invocation to its answer.";
    family("usher_function_duration_seconds", help, |d| &d.invocations);
    let help = "From a process' start to its first request for an event.";
    family("usher_function_init_seconds", help, |d| &d.inits);
}

pub(super) fn parts(out: &mut Exposition, status: &HostStatus) {
    if let Some(keys) = &status.keys {
        let help = "Keys that tokens are checked with.";
        out.single("usher_jwks_keys", help, keys.keys);
        let help = "Reads of the key set that failed; the keys before are in force.";
        out.single(
            "usher_jwks_refresh_failures_total",
            help,
            keys.refresh_failures,
        );
    }
    table(
        out,
        "usher",
        &status.connections,
        |p| [("ports", p.ports)],
        &CONNECTIONS,
    );
    table(
        out,
        "usher_part",
        &status.parts,
        |p| [("part", &p.part)],
        &PARTS,
    );
}
