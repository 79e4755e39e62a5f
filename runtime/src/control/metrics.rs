//! `GET /metrics`: counters and gauges of functions and sources, and the metrics that functions print (EMF).

use super::status::HostStatus;
use crate::asynchronous::AsyncStats;
use crate::http::KeyStatus;
use crate::instances::{FunctionStats, InstanceState};
use crate::kafka::{MappingStatus, PartitionStatus};
use crate::listener::budget::BudgetStats;
use crate::observation::{Exposition, Histogram, MetricKind, Observations, Series};
use crate::sqs::SqsStatus;
use crate::supervision::PartStatus;
use event_sources::Millis;
use event_sources::health::{SourceHealth, SourceState};

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
    functions(&mut out, &status.functions);
    durations(&mut out, observations);
    kafka(&mut out, &status.mappings);
    queues(&mut out, &status.queues);
    events(&mut out, &status.events);
    sources(&mut out, status);
    keys(&mut out, status.keys.as_ref());
    connections(&mut out, &status.connections);
    parts(&mut out, &status.parts);
    printed(&mut out, &observations.series());
    out.finish()
}

fn functions(out: &mut Exposition, all: &[FunctionStats]) {
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
            "Processes that have not been told to end.",
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

fn durations(out: &mut Exposition, observations: &Observations) {
    let durations = observations.durations();
    let mut family =
        |name: &str, help: &str, of: fn(&crate::observation::Durations) -> &Histogram| {
            out.family(name, MetricKind::Histogram, help);
            for (function, durations) in &durations {
                out.histogram(name, &[("function", function)], of(durations));
            }
        };
    family(
        "usher_function_duration_seconds",
        "From hand-over to answer.",
        |d| &d.invocations,
    );
    family(
        "usher_function_init_seconds",
        "From a process' start to its first request for an event.",
        |d| &d.inits,
    );
}

/// Reads a value of a partition; `None`: there is no sample.
type OfPartition = fn(&PartitionStatus) -> Option<f64>;

/// Reads a time or an age of a source, milliseconds; `None`: there is no sample.
type OfSource = fn(&SourceHealth) -> Option<Millis>;

fn kafka(out: &mut Exposition, mappings: &[MappingStatus]) {
    type Read = fn(&MappingStatus) -> u64;
    let families: [(&str, MetricKind, &str, Read); 10] = [
        (
            "records_deleted_unread_total",
            MetricKind::Counter,
            "Records that were deleted from their topic before they were read.",
            |m| m.records_deleted_unread,
        ),
        (
            "logs_replaced_total",
            MetricKind::Counter,
            "Partitions read from their start because their log is another one than before.",
            |m| m.logs_replaced,
        ),
        (
            "records_filtered_total",
            MetricKind::Counter,
            "Records dropped by the filters.",
            |m| m.records_filtered,
        ),
        (
            "records_done_total",
            MetricKind::Counter,
            "Records that are over with: done, or discarded.",
            |m| m.records_done,
        ),
        (
            "batches_total",
            MetricKind::Counter,
            "Batches handed to the function.",
            |m| m.batches,
        ),
        (
            "failed_batches_total",
            MetricKind::Counter,
            "Batches that failed, whole or in part.",
            |m| m.failed_batches,
        ),
        (
            "records_discarded_total",
            MetricKind::Counter,
            "Records given up by a limit of the mapping.",
            |m| m.records_discarded,
        ),
        (
            "failure_records_reduced_total",
            MetricKind::Counter,
            "Failure records that the destination took only without their payload or details.",
            |m| m.failure_records_reduced,
        ),
        (
            "records_lost_total",
            MetricKind::Counter,
            "Records larger than an event, or than their destination takes in any form.",
            |m| m.records_lost,
        ),
        (
            "up",
            MetricKind::Gauge,
            "0 while the mapping is failing, stuck, missing or away, else 1.",
            |m| (!m.health.state.is_unwell()).into(),
        ),
    ];
    for (name, kind, help, read) in families {
        let name = format!("usher_kafka_{name}");
        out.family(&name, kind, help);
        for mapping in mappings {
            out.sample(&name, &[("mapping", &mapping.mapping)], read(mapping));
        }
    }
    let families: [(&str, &str, OfPartition); 2] = [
        (
            "usher_kafka_lag",
            "Offsets between what is done and the last stable offset, of partitions that this host owns.",
            |p| p.lag.map(|lag| lag as f64),
        ),
        (
            "usher_kafka_lag_seconds",
            "Age of the oldest record that waits, of partitions that this host owns; 0: none waits.",
            |p| Some(seconds(p.health.oldest_waiting_ms.unwrap_or_default())),
        ),
    ];
    for (name, help, read) in families {
        out.family(name, MetricKind::Gauge, help);
        for mapping in mappings {
            for partition in &mapping.partitions {
                let number = partition.partition.to_string();
                let labels = [
                    ("mapping", mapping.mapping.as_str()),
                    ("topic", &partition.topic),
                    ("partition", &number),
                ];
                if let Some(value) = read(partition) {
                    out.sample(name, &labels, value);
                }
            }
        }
    }
}

fn seconds(milliseconds: Millis) -> f64 {
    milliseconds as f64 / 1000.0
}

/// The health of every source: mappings of topics and queues by their id, asynchronous events by their function.
fn sources(out: &mut Exposition, status: &HostStatus) {
    let kafka = status
        .mappings
        .iter()
        .map(|mapping| ("kafka", mapping.mapping.as_str(), &mapping.health));
    let queues = status
        .queues
        .iter()
        .map(|queue| ("sqs", queue.mapping.as_str(), &queue.health));
    let events = status
        .events
        .iter()
        .map(|events| ("events", events.function.as_str(), &events.health));
    let all: Vec<_> = kafka.chain(queues).chain(events).collect();
    out.family(
        "usher_source_state",
        MetricKind::Gauge,
        "1 for the state that a source is in, 0 for the others.",
    );
    for (kind, source, health) in &all {
        for state in SourceState::ALL {
            let labels = [("kind", *kind), ("source", source), ("state", state.name())];
            out.sample(
                "usher_source_state",
                &labels,
                u64::from(health.state == state),
            );
        }
    }
    let families: [(&str, &str, OfSource); 3] = [
        (
            "usher_source_state_since_seconds",
            "Since when a source is in its state, seconds since 1970.",
            |h| Some(h.since_ms),
        ),
        (
            "usher_source_oldest_waiting_seconds",
            "Age of the oldest work that waits at a source; 0: none waits.",
            |h| Some(h.oldest_waiting_ms.unwrap_or_default()),
        ),
        (
            "usher_source_last_progress_seconds",
            "When work of a source was last done, seconds since 1970.",
            |h| h.last_progress_ms,
        ),
    ];
    for (name, help, read) in families {
        out.family(name, MetricKind::Gauge, help);
        for (kind, source, health) in &all {
            if let Some(value) = read(health) {
                out.sample(name, &[("kind", *kind), ("source", source)], seconds(value));
            }
        }
    }
}

fn queues(out: &mut Exposition, queues: &[SqsStatus]) {
    type Read = fn(&SqsStatus) -> u64;
    let families: [(&str, MetricKind, &str, Read); 10] = [
        (
            "filtered_total",
            MetricKind::Counter,
            "Messages dropped by the filters, and deleted.",
            |q| q.filtered,
        ),
        (
            "received_total",
            MetricKind::Counter,
            "Messages received.",
            |q| q.received,
        ),
        (
            "batches_total",
            MetricKind::Counter,
            "Batches handed to the function.",
            |q| q.batches,
        ),
        (
            "deleted_total",
            MetricKind::Counter,
            "Messages done and deleted.",
            |q| q.deleted,
        ),
        (
            "failed_total",
            MetricKind::Counter,
            "Messages that failed and are left to the queue.",
            |q| q.failed,
        ),
        (
            "released_total",
            MetricKind::Counter,
            "Messages given back unseen.",
            |q| q.released,
        ),
        (
            "not_deleted_total",
            MetricKind::Counter,
            "Messages done that the queue would not delete.",
            |q| q.not_deleted,
        ),
        (
            "in_flight",
            MetricKind::Gauge,
            "Messages at the function.",
            |q| q.in_flight as u64,
        ),
        (
            "waiting",
            MetricKind::Gauge,
            "Messages in the queue as last reported, hidden ones included.",
            |q| q.waiting.unwrap_or_default(),
        ),
        (
            "up",
            MetricKind::Gauge,
            "0 while the mapping is failing, stuck, missing or away, else 1.",
            |q| (!q.health.state.is_unwell()).into(),
        ),
    ];
    for (name, kind, help, read) in families {
        let name = format!("usher_sqs_{name}");
        out.family(&name, kind, help);
        for queue in queues {
            out.sample(
                &name,
                &[("mapping", &queue.mapping), ("queue", &queue.queue)],
                read(queue),
            );
        }
    }
}

fn events(out: &mut Exposition, events: &[AsyncStats]) {
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
            "Ended events whose destinations have not all been told.",
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

fn keys(out: &mut Exposition, keys: Option<&KeyStatus>) {
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

fn connections(out: &mut Exposition, all: &[BudgetStats]) {
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
        for place in all {
            out.sample(name, &[("ports", place.ports)], read(place));
        }
    }
}

fn parts(out: &mut Exposition, parts: &[PartStatus]) {
    type Read = fn(&PartStatus) -> u64;
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

/// A metric `OrdersStored` of the namespace `Shop` is the summary `emf_shop_orders_stored`, with its dimensions as labels.
fn printed(out: &mut Exposition, series: &Series) {
    let mut rows: Vec<_> = series
        .iter()
        .map(|(key, summed)| (series.family_of(&key.1), key, summed))
        .collect();
    // a family's samples stand together, whoever printed them
    rows.sort_by_key(|row| row.0);
    for (name, (function, _, unit, dimensions), summed) in rows {
        out.family(
            name,
            MetricKind::Summary,
            "Printed by functions in CloudWatch's embedded metric format.",
        );
        let mut labels = vec![("function", function.as_str()), ("unit", unit.as_str())];
        labels.extend(
            dimensions
                .iter()
                .map(|(dimension, value)| (series.label_of(dimension), value.as_str())),
        );
        out.sample(&format!("{name}_sum"), &labels, summed.sum);
        out.sample(&format!("{name}_count"), &labels, summed.count);
    }
    let help = "Metrics that functions printed and that found no room: too many dimensions.";
    out.single(
        "usher_emf_dropped_total",
        MetricKind::Counter,
        help,
        series.dropped(),
    );
    let help =
        "Metrics and dimensions that functions named like others: they have a longer name here.";
    out.single(
        "usher_emf_renamed",
        MetricKind::Gauge,
        help,
        series.renamed(),
    );
}

#[cfg(test)]
#[path = "../../tests/host/exposition.rs"]
mod exposition;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::exposition::check;
    use super::*;

    /// A line in the embedded metric format with one metric and these dimensions.
    fn line(
        namespace: &str,
        metric: &str,
        unit: &str,
        dimensions: &[(String, String)],
        value: f64,
    ) -> String {
        let names: Vec<&String> = dimensions.iter().map(|(name, _)| name).collect();
        let directive = json!({ "Namespace": namespace, "Dimensions": [names], "Metrics": [{ "Name": metric, "Unit": unit }] });
        let mut line = json!({ "_aws": { "CloudWatchMetrics": [directive] } });
        for (name, value) in dimensions {
            line[name] = value.clone().into();
        }
        line[metric] = value.into();
        line.to_string()
    }

    /// Few names that come close to one another: the interesting ones are those that clash.
    fn name() -> impl Strategy<Value = String> {
        let parts = prop::sample::select(vec![
            "Foo", "foo", "_count", "Count", "_sum", "_bucket", "_total", " ", "/", "ä", "2",
        ]);
        prop::collection::vec(parts, 1..4).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn the_exposition_is_valid_whatever_functions_print(
            rows in prop::collection::vec(
                (name(), name(), "\\PC{0,3}", prop::collection::vec((name(), "[\\PC\n\r\"\\\\\0]{0,4}"), 0..3), any::<f64>()),
                0..30,
            ),
        ) {
            let observations = Observations::default();
            let mut metrics = std::collections::BTreeSet::new();
            for (namespace, metric, unit, dimensions, value) in rows.iter().filter(|row| row.4.is_finite()) {
                let text = line(namespace, metric, unit, dimensions, *value);
                metrics.extend((!crate::observation::points(&text).is_empty()).then(|| (namespace.clone(), metric.clone())));
                observations.printed("F", &text);
                observations.printed("G", &text);
            }
            let text = render(&HostStatus::default(), &observations);
            let families = check(&text).map_err(|wrong| TestCaseError::fail(format!("{wrong}\n{text}")))?;
            let printed = families.iter().filter(|family| family.starts_with("emf_")).count();
            prop_assert_eq!(printed, metrics.len(), "each metric is a family of its own");
        }
    }

    #[test]
    fn metrics_that_a_function_prints_become_series() {
        let observations = Observations::default();
        let line = r#"{"_aws":{"CloudWatchMetrics":[{"Namespace":"Shop","Dimensions":[["Env"]],"Metrics":[{"Name":"OrdersStored","Unit":"Count"}]}]},"Env":"a\"b","OrdersStored":4}"#;
        observations.printed("F", line);
        observations.printed("F", line);
        let text = render(&HostStatus::default(), &observations);
        let labels = r#"{function="F",unit="Count",d_env="a\"b"}"#;
        assert!(
            text.contains(&format!(
                "emf_shop_orders_stored_sum{labels} 8\nemf_shop_orders_stored_count{labels} 2\n"
            )),
            "{text}"
        );
        assert!(text.contains("usher_emf_dropped_total 0\n"));
    }

    #[test]
    fn no_family_is_announced_twice() {
        let function = FunctionStats {
            function: "F".into(),
            invocations: 3,
            ..FunctionStats::default()
        };
        let status = HostStatus {
            functions: vec![function.clone(), function],
            ..HostStatus::default()
        };
        let text = render(&status, &Observations::default());
        let mut types: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with("# TYPE"))
            .collect();
        let all = types.len();
        types.sort_unstable();
        types.dedup();
        assert_eq!(types.len(), all);
        assert!(text.contains("usher_function_invocations_total{function=\"F\"} 3\n"));
    }
}
