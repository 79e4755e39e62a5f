//! What the host shows of the asynchronous events of a function: samples, alarms, the entry in the
//! status.

use serde_json::json;

use super::stats::AsyncStats;
use crate::sources::status::{
    MetricColumn, MetricFamily, SourceMetric, SourceStatus, SourceSubject,
};

const EVENTS_LOST: &str = "asynchronous events were given up without a record; the log names each";

static OF_FUNCTION: [MetricColumn<AsyncStats>; 4] = [
    (
        MetricFamily::new(
            "usher_events_waiting",
            "Asynchronous events that are to run, or to be tried again.",
        ),
        |e| Some(e.waiting as f64),
    ),
    (
        MetricFamily::new(
            "usher_events_running",
            "Asynchronous events at the function.",
        ),
        |e| Some(e.running as f64),
    ),
    (
        MetricFamily::new(
            "usher_events_delivering",
            "Ended events that some destination has not received yet.",
        ),
        |e| Some(e.delivering as f64),
    ),
    (
        MetricFamily::new(
            "usher_events_lost_total",
            "Events given up without a record: no destination, or none that takes it.",
        ),
        |e| Some(e.lost as f64),
    ),
];

impl From<AsyncStats> for SourceStatus {
    fn from(stats: AsyncStats) -> Self {
        let labels = [("function", stats.function.as_str())];
        let mut report = Self {
            id: stats.function.clone(),
            subject: SourceSubject::Function,
            health: stats.health.clone(),
            metrics: SourceMetric::table(&stats, &labels, &OF_FUNCTION),
            entry: json!(stats),
            ..Self::default()
        };
        report.add_loss(stats.lost, EVENTS_LOST);
        report
    }
}
