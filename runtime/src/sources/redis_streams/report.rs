//! What the host shows of a source: samples, and the entry in the status.

use serde_json::json;

use super::progress::RedisStreamStatus;
use crate::sources::status::{
    MetricColumn, MetricFamily, SourceMetric, SourceStatus, SourceSubject,
};

static OF_SOURCE: [MetricColumn<RedisStreamStatus>; 9] = [
    (
        MetricFamily::new(
            "usher_redis_stream_lag",
            "Entries that the consumer group has not received, if Redis can compute it.",
        ),
        |s| s.lag.map(|count| count as f64),
    ),
    (
        MetricFamily::new(
            "usher_redis_stream_pending",
            "Entries that the consumer group has received and not acknowledged.",
        ),
        |s| s.pending.map(|count| count as f64),
    ),
    (
        MetricFamily::new(
            "usher_redis_stream_received_total",
            "Entries received from the consumer group.",
        ),
        |s| Some(s.received as f64),
    ),
    (
        MetricFamily::new(
            "usher_redis_stream_acknowledged_total",
            "Entries acknowledged: processed, or dropped by a filter.",
        ),
        |s| Some(s.acknowledged as f64),
    ),
    (
        MetricFamily::new(
            "usher_redis_stream_failed_total",
            "Failed attempts to process an entry.",
        ),
        |s| Some(s.failed as f64),
    ),
    (
        MetricFamily::new(
            "usher_redis_stream_parked_total",
            "Entries moved to the dead-letter stream.",
        ),
        |s| Some(s.parked as f64),
    ),
    (
        MetricFamily::new(
            "usher_redis_stream_taken_over_total",
            "Entries taken over from consumers that were silent.",
        ),
        |s| Some(s.taken_over as f64),
    ),
    (
        MetricFamily::new(
            "usher_redis_stream_lost_total",
            "Entries removed from the stream before they were processed.",
        ),
        |s| Some((s.lost + s.removed) as f64),
    ),
    (MetricFamily::up("usher_redis_stream_up"), |s| {
        Some(f64::from(!s.health.state.is_unwell()))
    }),
];

impl From<RedisStreamStatus> for SourceStatus {
    fn from(status: RedisStreamStatus) -> Self {
        let labels = [("mapping", status.mapping.as_str())];
        Self {
            id: status.mapping.clone(),
            subject: SourceSubject::Mapping,
            health: status.health.clone(),
            alarms: status.alarms(),
            metrics: SourceMetric::table(&status, &labels, &OF_SOURCE),
            entry: json!(status),
            ..Self::default()
        }
    }
}
