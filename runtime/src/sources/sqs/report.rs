//! What the host shows of a mapping: samples, and the entry in the status.

use serde_json::json;

use super::status::SqsStatus;
use crate::sources::status::{
    MetricColumn, MetricFamily, SourceMetric, SourceStatus, SourceSubject,
};

static OF_MAPPING: [MetricColumn<SqsStatus>; 10] = [
    (
        MetricFamily::new(
            "usher_sqs_filtered_total",
            "Messages dropped by the filters, and deleted.",
        ),
        |q| Some(q.filtered as f64),
    ),
    (
        MetricFamily::new("usher_sqs_received_total", "Messages received."),
        |q| Some(q.received as f64),
    ),
    (
        MetricFamily::new("usher_sqs_batches_total", "Batches handed to the function."),
        |q| Some(q.batches as f64),
    ),
    (
        MetricFamily::new("usher_sqs_deleted_total", "Messages done and deleted."),
        |q| Some(q.deleted as f64),
    ),
    (
        MetricFamily::new(
            "usher_sqs_failed_total",
            "Messages that failed and are left to the queue.",
        ),
        |q| Some(q.failed as f64),
    ),
    (
        MetricFamily::new("usher_sqs_released_total", "Messages given back unseen."),
        |q| Some(q.released as f64),
    ),
    (
        MetricFamily::new(
            "usher_sqs_not_deleted_total",
            "Messages done that the queue would not delete.",
        ),
        |q| Some(q.not_deleted as f64),
    ),
    (
        MetricFamily::new("usher_sqs_in_flight", "Messages at the function."),
        |q| Some(q.in_flight as f64),
    ),
    (
        MetricFamily::new(
            "usher_sqs_waiting",
            "Messages in the queue as last reported, hidden ones included.",
        ),
        |q| q.waiting.map(|waiting| waiting as f64),
    ),
    (MetricFamily::up("usher_sqs_up"), |q| {
        Some(f64::from(!q.health.state.is_unwell()))
    }),
];

impl From<SqsStatus> for SourceStatus {
    fn from(status: SqsStatus) -> Self {
        let labels = [
            ("mapping", status.mapping.as_str()),
            ("queue", status.queue.as_str()),
        ];
        Self {
            id: status.mapping.clone(),
            subject: SourceSubject::Mapping,
            health: status.health.clone(),
            metrics: SourceMetric::table(&status, &labels, &OF_MAPPING),
            entry: json!(status),
            ..Self::default()
        }
    }
}
