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

/// A family, and its value in the snapshot `T` of one source; `None`: the source has no sample.
pub type MetricColumn<T> = (MetricFamily, fn(&T) -> Option<f64>);

impl MetricFamily {
    /// A family of this name, with its text of help.
    pub const fn new(name: &'static str, help: &'static str) -> Self {
        Self { name, help }
    }

    /// `usher_KIND_up` of a kind of mappings.
    pub(crate) const fn up(name: &'static str) -> Self {
        let help = "0 while the mapping is failing, stuck, missing or away, else 1.";
        Self { name, help }
    }
}

impl SourceMetric {
    /// The samples of one snapshot, in these columns and with these labels.
    pub fn table<T>(
        of: &T,
        labels: &[(&'static str, &str)],
        columns: &'static [MetricColumn<T>],
    ) -> Vec<Self> {
        let labels = labels
            .iter()
            .map(|(name, text)| (*name, (*text).to_owned()));
        let labels: Vec<(&str, String)> = labels.collect();
        let sample = |(family, value): &'static MetricColumn<T>| {
            Some(Self {
                family,
                labels: labels.clone(),
                value: value(of)?,
            })
        };
        columns.iter().filter_map(sample).collect()
    }
}

impl SourceStatus {
    /// Adds an alarm if something was lost: its number, and the text.
    pub fn add_loss(&mut self, count: u64, text: &str) {
        if count > 0 {
            self.alarms.push(format!("{count} {text}"));
        }
    }
}
