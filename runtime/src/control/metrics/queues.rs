//! Metrics of SQS mappings.

use crate::observation::{Exposition, MetricKind};
use crate::sqs::SqsStatus;

pub(super) fn queues(out: &mut Exposition, queues: &[SqsStatus]) {
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
