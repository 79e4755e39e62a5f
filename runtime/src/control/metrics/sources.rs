//! Metrics of the sources of events: Kafka mappings and their partitions, SQS mappings,
//! asynchronous events, and the health of each.

use event_sources::Millis;
use event_sources::health::{SourceHealth, SourceState};

use super::{Family, count, table, total};
use crate::control::status::HostStatus;
use crate::observation::{Exposition, MetricKind};
use crate::sources::asynchronous::AsyncStats;
use crate::sources::kafka::{MappingStatus, PartitionStatus};
use crate::sources::sqs::SqsStatus;

const UP: &str = "0 while the mapping is failing, stuck, missing or away, else 1.";

const KAFKA: [Family<MappingStatus>; 10] = [
    (
        "records_deleted_unread_total",
        "Records that were deleted from their topic before they were read.",
        |m| total(m.records_deleted_unread),
    ),
    (
        "logs_replaced_total",
        "Partitions read from their start because their log is another one than before.",
        |m| total(m.logs_replaced),
    ),
    (
        "records_filtered_total",
        "Records dropped by the filters.",
        |m| total(m.records_filtered),
    ),
    (
        "records_done_total",
        "Records that are over with: done, or discarded.",
        |m| total(m.records_done),
    ),
    ("batches_total", "Batches handed to the function.", |m| {
        total(m.batches)
    }),
    (
        "failed_batches_total",
        "Batches that failed, whole or in part.",
        |m| total(m.failed_batches),
    ),
    (
        "records_discarded_total",
        "Records given up by a limit of the mapping.",
        |m| total(m.records_discarded),
    ),
    (
        "failure_records_reduced_total",
        "Failure records that the destination took only without their payload or details.",
        |m| total(m.failure_records_reduced),
    ),
    (
        "records_lost_total",
        "Records larger than an event, or than their destination takes in any form.",
        |m| total(m.records_lost),
    ),
    ("up", UP, |m| total((!m.health.state.is_unwell()).into())),
];

const QUEUES: [Family<SqsStatus>; 10] = [
    (
        "filtered_total",
        "Messages dropped by the filters, and deleted.",
        |q| total(q.filtered),
    ),
    ("received_total", "Messages received.", |q| {
        total(q.received)
    }),
    ("batches_total", "Batches handed to the function.", |q| {
        total(q.batches)
    }),
    ("deleted_total", "Messages done and deleted.", |q| {
        total(q.deleted)
    }),
    (
        "failed_total",
        "Messages that failed and are left to the queue.",
        |q| total(q.failed),
    ),
    ("released_total", "Messages given back unseen.", |q| {
        total(q.released)
    }),
    (
        "not_deleted_total",
        "Messages done that the queue would not delete.",
        |q| total(q.not_deleted),
    ),
    ("in_flight", "Messages at the function.", |q| {
        count(q.in_flight)
    }),
    (
        "waiting",
        "Messages in the queue as last reported, hidden ones included.",
        |q| q.waiting.and_then(total),
    ),
    ("up", UP, |q| total((!q.health.state.is_unwell()).into())),
];

const EVENTS: [Family<AsyncStats>; 4] = [
    (
        "waiting",
        "Asynchronous events that are to run, or to be tried again.",
        |e| count(e.waiting),
    ),
    ("running", "Asynchronous events at the function.", |e| {
        count(e.running)
    }),
    (
        "delivering",
        "Ended events that some destination has not received yet.",
        |e| count(e.delivering),
    ),
    (
        "lost_total",
        "Events given up without a record: no destination, or none that takes it.",
        |e| total(e.lost),
    ),
];

#[expect(
    clippy::unnecessary_wraps,
    reason = "a column of a table, where a value may be absent"
)]
fn seconds(milliseconds: Millis) -> Option<f64> {
    Some(milliseconds as f64 / 1000.0)
}

pub(super) fn sources(out: &mut Exposition, status: &HostStatus) {
    table(
        out,
        "usher_kafka",
        &status.mappings,
        |m| [("mapping", &m.mapping)],
        &KAFKA,
    );
    partitions(out, &status.mappings);
    let queues = &status.queues;
    table(
        out,
        "usher_sqs",
        queues,
        |q| [("mapping", &q.mapping), ("queue", &q.queue)],
        &QUEUES,
    );
    table(
        out,
        "usher_events",
        &status.events,
        |e| [("function", &e.function)],
        &EVENTS,
    );
    health(out, status);
}

fn partitions(out: &mut Exposition, mappings: &[MappingStatus]) {
    type Owned<'a> = (&'a String, &'a PartitionStatus);
    let families: [Family<Owned<'_>>; 2] = [
        (
            "lag",
            "Offsets between what is done and the last stable offset, of partitions that this host \
             owns.",
            |(_, p)| p.lag.map(|lag| lag as f64),
        ),
        (
            "lag_seconds",
            "Age of the oldest record that waits, of partitions that this host owns; 0: none waits.",
            |(_, p)| seconds(p.health.oldest_waiting_ms.unwrap_or_default()),
        ),
    ];
    let all: Vec<Owned<'_>> = mappings
        .iter()
        .flat_map(|m| m.partitions.iter().map(move |p| (&m.mapping, p)))
        .collect();
    table(
        out,
        "usher_kafka",
        &all,
        |(m, p)| {
            [
                ("mapping", m),
                ("topic", &p.topic),
                ("partition", &p.partition),
            ]
        },
        &families,
    );
}

/// The health of every source: mappings of topics and queues by their id, asynchronous events by
/// their function.
fn health(out: &mut Exposition, status: &HostStatus) {
    type Source<'a> = (&'static str, &'a String, &'a SourceHealth);
    let families: [Family<Source<'_>>; 3] = [
        (
            "state_since_seconds",
            "Since when a source is in its state, seconds since 1970.",
            |(_, _, h)| seconds(h.since_ms),
        ),
        (
            "oldest_waiting_seconds",
            "Age of the oldest work that waits at a source; 0: none waits.",
            |(_, _, h)| seconds(h.oldest_waiting_ms.unwrap_or_default()),
        ),
        (
            "last_progress_seconds",
            "When work of a source was last done, seconds since 1970.",
            |(_, _, h)| h.last_progress_ms.and_then(seconds),
        ),
    ];
    let kafka = status
        .mappings
        .iter()
        .map(|m| ("kafka", &m.mapping, &m.health));
    let sqs = status.queues.iter().map(|q| ("sqs", &q.mapping, &q.health));
    let events = status
        .events
        .iter()
        .map(|e| ("events", &e.function, &e.health));
    let all: Vec<Source<'_>> = kafka.chain(sqs).chain(events).collect();
    let name = "usher_source_state";
    let help = "1 for the state that a source is in, 0 for the others.";
    out.family(name, MetricKind::Gauge, help);
    for (kind, source, health) in &all {
        for state in SourceState::ALL {
            let labels = [("kind", *kind), ("source", source), ("state", state.name())];
            out.sample(name, &labels, u64::from(health.state == state));
        }
    }
    table(
        out,
        "usher_source",
        &all,
        |s| [("kind", &s.0), ("source", s.1)],
        &families,
    );
}
