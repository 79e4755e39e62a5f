//! What a running source reports of itself. The status page, the metrics and the health of the host
//! are built from these values and know no kind of source.

use event_sources::health::SourceHealth;
use serde_json::Value;

/// A snapshot of one source.
#[derive(Debug, Clone, Default)]
pub struct SourceStatus {
    /// What the source is called in messages, metrics and settings: the logical id of a mapping or
    /// schedule, or of the function whose asynchronous events these are.
    pub id: String,
    /// What `id` names.
    pub subject: SourceSubject,
    /// Its own state; the most severe of its parts, if it has parts.
    pub health: SourceHealth,
    /// The health of its parts (partitions), if it has any.
    pub parts: Vec<SourceHealth>,
    /// Losses since the start, a sentence each, that need an operator and leave the source well.
    pub alarms: Vec<String>,
    /// Samples for `GET /metrics`, without those that every source has (health).
    pub metrics: Vec<SourceMetric>,
    /// The entry in the section of its kind in `GET /_usher/status`.
    pub entry: Value,
}

/// What the id of a source names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SourceSubject {
    /// A mapping from a stream or queue to a function.
    #[default]
    Mapping,
    /// A function, whose asynchronous events the source handles.
    Function,
    /// A schedule.
    Schedule,
}

/// One sample of a metric family.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceMetric {
    /// The family.
    pub family: &'static MetricFamily,
    /// Labels in the order in which they are written.
    pub labels: Vec<(&'static str, String)>,
    /// The value.
    pub value: f64,
}

/// A metric family of a kind of source.
#[derive(Debug, PartialEq, Eq)]
pub struct MetricFamily {
    /// Full name. Ends in `_total` if it is a counter.
    pub name: &'static str,
    /// Its text of help.
    pub help: &'static str,
}
