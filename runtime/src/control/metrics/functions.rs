//! Metrics of functions and their processes.

use crate::instances::{FunctionStats, InstanceState};
use crate::observation::{Durations, Exposition, Histogram, MetricKind, Observations};

pub(super) fn functions(out: &mut Exposition, all: &[FunctionStats]) {
    type Read = fn(&FunctionStats) -> u64;
    let busy: Read = |f| {
        f.instances
            .iter()
            .map(|instance| instance.in_flight.len() as u64)
            .sum()
    };
    let families: [(&str, MetricKind, &str, Read); 8] = [
        (
            "invocations_total",
            MetricKind::Counter,
            "Invocations that ended.",
            |f| f.invocations,
        ),
        (
            "errors_total",
            MetricKind::Counter,
            "Invocations that ended in a function error.",
            |f| f.errors,
        ),
        (
            "throttles_total",
            MetricKind::Counter,
            "Invocations refused at the concurrency limit.",
            |f| f.throttles,
        ),
        (
            "cold_starts_total",
            MetricKind::Counter,
            "Processes started.",
            |f| f.cold_starts,
        ),
        (
            "concurrent_executions",
            MetricKind::Gauge,
            "Invocations in flight.",
            busy,
        ),
        (
            "queued",
            MetricKind::Gauge,
            "Invocations that wait for an instance.",
            |f| f.queued as u64,
        ),
        (
            "instances",
            MetricKind::Gauge,
            "Processes that are not stopping.",
            |f| {
                f.instances
                    .iter()
                    .filter(|instance| instance.state != InstanceState::Stopping)
                    .count() as u64
            },
        ),
        (
            "concurrency_limit",
            MetricKind::Gauge,
            "Processes at one time at most.",
            |f| f.limit as u64,
        ),
    ];
    for (name, kind, help, read) in families {
        let name = format!("usher_function_{name}");
        out.family(&name, kind, help);
        for function in all {
            out.sample(&name, &[("function", &function.function)], read(function));
        }
    }
}

pub(super) fn durations(out: &mut Exposition, observations: &Observations) {
    let durations = observations.durations();
    let mut family = |name: &str, help: &str, of: fn(&Durations) -> &Histogram| {
        out.family(name, MetricKind::Histogram, help);
        for (function, durations) in &durations {
            out.histogram(name, &[("function", function)], of(durations));
        }
    };
    family(
        "usher_function_duration_seconds",
        "From the start of an invocation to its answer.",
        |d| &d.invocations,
    );
    family(
        "usher_function_init_seconds",
        "From a process' start to its first request for an event.",
        |d| &d.inits,
    );
}
