//! Metrics in the embedded metric format (EMF): a JSON log line that carries metrics.

use serde_json::{Map, Number, Value, json};

use crate::naming::Names;

/// The namespace of all metrics.
pub const NAMESPACE: &str = "Usher";

/// Metrics of one point in time, under the dimension `EnvPrefix`. Emit one line per batch, not one
/// per record.
#[derive(Debug, Clone)]
#[must_use = "a metric line does nothing until it is emitted"]
pub struct MetricLine {
    declared: Vec<Value>,
    members: Map<String, Value>,
}

impl MetricLine {
    /// A line without metrics.
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

    /// Adds a time in milliseconds. NaN and infinities are left out.
    pub fn milliseconds(self, name: &'static str, ms: f64) -> Self {
        match Number::from_f64(ms) {
            Some(ms) => self.metric(name, "Milliseconds", ms),
            None => self,
        }
    }

    /// Adds a searchable field that is not a metric, such as the topic.
    pub fn field(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    fn metric(mut self, name: &'static str, unit: &'static str, value: Number) -> Self {
        // A repeated name is declared once and has its last value.
        if self
            .members
            .insert(name.to_owned(), Value::Number(value))
            .is_none()
        {
            self.declared.push(json!({ "Name": name, "Unit": unit }));
        }
        self
    }

    /// The line without its line end, as of `at_ms` (milliseconds since 1970).
    pub fn render(&self, at_ms: u64) -> String {
        let mut line = self.members.clone();
        let directive = json!({
            "Namespace": NAMESPACE, "Dimensions": [["EnvPrefix"]], "Metrics": self.declared
        });
        line.insert(
            "_aws".to_owned(),
            json!({ "Timestamp": at_ms, "CloudWatchMetrics": [directive] }),
        );
        Value::Object(line).to_string()
    }

    /// Writes the line to standard output in one write, as of now. Without a metric, nothing is
    /// written.
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
        // Without standard output there is no place to report the error.
        let _ = std::io::stdout().lock().write_all(line.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_declares_each_of_its_metrics() {
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
    fn repeated_metrics_are_declared_once_and_nan_never() {
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
