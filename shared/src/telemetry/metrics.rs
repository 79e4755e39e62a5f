//! Metrics as lines of Lambda's embedded metric format (EMF): a JSON log line that is a metric as well.

use serde_json::{Map, Number, Value, json};

use crate::naming::Names;

/// The namespace of all metrics.
pub const NAMESPACE: &str = "Usher";

/// Several metrics of one moment, under the dimension `EnvPrefix`. Built, then rendered or emitted; keep lines few: one a batch, not
/// one a record.
#[derive(Debug, Clone)]
#[must_use = "a metric line does nothing until it is emitted"]
pub struct MetricLine {
    declared: Vec<Value>,
    members: Map<String, Value>,
}

impl MetricLine {
    /// An empty line of an environment.
    pub fn new(names: &Names) -> Self {
        let members = Map::from_iter([("EnvPrefix".to_owned(), names.prefix().into())]);
        Self {
            declared: Vec::new(),
            members,
        }
    }

    /// Adds a count.
    pub fn count(self, name: &'static str, n: u64) -> Self {
        self.metric(name, "Count", n.into())
    }

    /// Adds a time in milliseconds; one that is no number (NaN, infinite) is left out.
    pub fn milliseconds(self, name: &'static str, ms: f64) -> Self {
        match Number::from_f64(ms) {
            Some(ms) => self.metric(name, "Milliseconds", ms),
            None => self,
        }
    }

    /// Adds a field that is searched for but not a metric, such as the topic.
    pub fn field(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    fn metric(mut self, name: &'static str, unit: &'static str, value: Number) -> Self {
        // A name given twice is declared once, with its last value.
        if self
            .members
            .insert(name.to_owned(), Value::Number(value))
            .is_none()
        {
            self.declared.push(json!({ "Name": name, "Unit": unit }));
        }
        self
    }

    /// The line, without its end, as of `at_ms` (milliseconds since 1970).
    pub fn render(&self, at_ms: u64) -> String {
        let mut line = self.members.clone();
        let directive = json!({ "Namespace": NAMESPACE, "Dimensions": [["EnvPrefix"]], "Metrics": self.declared });
        line.insert(
            "_aws".to_owned(),
            json!({ "Timestamp": at_ms, "CloudWatchMetrics": [directive] }),
        );
        Value::Object(line).to_string()
    }

    /// Writes the line to standard output, as of now, in one write. Says nothing when there is no metric.
    #[cfg(feature = "telemetry")]
    pub fn emit(self) {
        use std::io::Write;
        use std::time::{SystemTime, UNIX_EPOCH};

        if self.declared.is_empty() {
            return;
        }
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let line = self.render(u64::try_from(now.as_millis()).unwrap_or(u64::MAX)) + "\n";
        // Nobody can be told that standard output is gone.
        let _ = std::io::stdout().lock().write_all(line.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_declares_each_metric_it_carries_under_the_environment() {
        let names = Names::new("demo").expect("valid");
        let line = MetricLine::new(&names)
            .count("OrdersStored", 3)
            .milliseconds("BatchTime", 1.5)
            .field("topic", "demo-a");
        let line: Value = serde_json::from_str(&line.render(1_700_000_000_000)).expect("JSON");
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(line["_aws"]["Timestamp"], 1_700_000_000_000_u64);
        assert_eq!(directive["Namespace"], "Usher");
        assert_eq!(directive["Dimensions"], json!([["EnvPrefix"]]));
        assert_eq!(line["EnvPrefix"], "demo");
        assert_eq!(line["topic"], "demo-a");
        let units: Vec<_> = directive["Metrics"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|m| (&m["Name"], &m["Unit"]))
            .collect();
        assert_eq!(
            units,
            [
                (&"OrdersStored".into(), &"Count".into()),
                (&"BatchTime".into(), &"Milliseconds".into())
            ]
        );
        assert_eq!(
            (&line["OrdersStored"], &line["BatchTime"]),
            (&3.into(), &1.5.into())
        );
    }

    #[test]
    fn a_metric_given_twice_is_declared_once_and_what_is_no_number_not_at_all() {
        let names = Names::new("demo").expect("valid");
        let line = MetricLine::new(&names)
            .count("Parked", 1)
            .count("Parked", 2)
            .milliseconds("Lag", f64::NAN);
        let line: Value = serde_json::from_str(&line.render(0)).expect("JSON");
        assert_eq!(
            line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
                .as_array()
                .map(Vec::len),
            Some(1)
        );
        assert_eq!(line["Parked"], 2);
        assert!(line.get("Lag").is_none());
    }
}
