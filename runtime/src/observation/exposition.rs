//! The text format that Prometheus scrapes.
//!
//! Source: "Exposition formats", Prometheus documentation, text-based format 0.0.4.

use std::collections::{BTreeSet, HashSet};
use std::fmt::Write as _;

use super::Histogram;
use crate::terminal;

/// Type of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Buckets, a sum and a count.
    Histogram,
    /// A sum and a count.
    Summary,
}

impl MetricKind {
    /// The kind of a counter or a gauge, by its name: a counter's ends in `_total`.
    pub fn of(name: &str) -> Self {
        if name.ends_with("_total") {
            Self::Counter
        } else {
            Self::Gauge
        }
    }
}

/// A writer. A family is opened once, its samples follow. A series (a name with its labels) is
/// written once: Prometheus rejects a whole scrape that contains a series twice.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
    families: BTreeSet<String>,
    series: HashSet<String>,
}

impl Exposition {
    /// Opens a family. A second call has no effect: the format forbids a second announcement.
    pub fn family(&mut self, name: &str, kind: MetricKind, help: &str) {
        if !self.families.insert(name.to_owned()) {
            return;
        }
        let kind = match kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
            MetricKind::Summary => "summary",
        };
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// Writes a sample. Values of labels may contain any text: control characters become escapes.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let mut series = name.to_owned();
        for (at, (label, text)) in labels.iter().enumerate() {
            let open = if at == 0 { '{' } else { ',' };
            let text = terminal::block(text)
                .replace('\\', "\\\\")
                .replace('"', "\\\"")
                .replace('\n', "\\n");
            let _ = write!(series, "{open}{label}=\"{text}\"");
        }
        if !labels.is_empty() {
            series.push('}');
        }
        let value = value.to_string();
        let value = match value.as_str() {
            "inf" => "+Inf",
            "-inf" => "-Inf",
            number => number,
        };
        if !self.series.contains(&series) {
            let _ = writeln!(self.text, "{series} {value}");
            self.series.insert(series);
        }
    }

    /// A counter or a gauge with one sample, without labels.
    pub fn single(&mut self, name: &str, help: &str, value: impl std::fmt::Display) {
        self.family(name, MetricKind::of(name), help);
        self.sample(name, &[], value);
    }

    /// Writes the samples of a histogram.
    pub fn histogram(&mut self, name: &str, labels: &[(&str, &str)], histogram: &Histogram) {
        let bucket = format!("{name}_bucket");
        for (bound, count) in histogram.cumulative() {
            let bound = bound.to_string();
            self.sample(
                &bucket,
                &[labels, &[("le", bound.as_str())]].concat(),
                count,
            );
        }
        self.sample(
            &bucket,
            &[labels, &[("le", "+Inf")]].concat(),
            histogram.count(),
        );
        self.sample(&format!("{name}_sum"), labels, histogram.sum());
        self.sample(&format!("{name}_count"), labels, histogram.count());
    }

    /// The whole text.
    pub fn finish(self) -> String {
        self.text
    }

    /// Any text as a name: `OrdersStored` becomes `orders_stored`; characters that the format does
    /// not allow become `_`.
    pub fn name(text: &str) -> String {
        let mut name = String::with_capacity(text.len() + 4);
        let mut before = '_';
        for character in text.chars() {
            if character.is_ascii_uppercase() && before.is_ascii_lowercase() {
                name.push('_');
            }
            let known = character.is_ascii_alphanumeric();
            if known || !name.ends_with('_') {
                name.push(if known {
                    character.to_ascii_lowercase()
                } else {
                    '_'
                });
            }
            before = character;
        }
        if name.starts_with(|first: char| first.is_ascii_digit()) || name.is_empty() {
            name.insert(0, '_');
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn labels_may_contain_any_text() {
        let mut text = Exposition::default();
        text.family("a_total", MetricKind::Counter, "of\ntwo lines");
        text.sample("a_total", &[("x", "say \"hi\"\n\\"), ("y", "")], 3);
        text.family("a_total", MetricKind::Counter, "again");
        let expected = "# HELP a_total of\\ntwo lines\n# TYPE a_total counter\na_total{x=\"say \\\"hi\\\"\\n\\\\\",y=\"\"} 3\n";
        assert_eq!(text.finish(), expected);
    }

    #[test]
    fn a_series_is_written_once() {
        let mut text = Exposition::default();
        text.sample("a", &[("x", "\0\r")], f64::INFINITY);
        text.sample("a", &[("x", "\0\r")], 2);
        text.sample("a", &[], f64::NEG_INFINITY);
        assert_eq!(text.finish(), "a{x=\"\\\\u0000\\\\r\"} +Inf\na -Inf\n");
    }

    #[test]
    fn a_histogram_ends_with_all_values() {
        let mut histogram = Histogram::default();
        histogram.observe(Duration::from_secs(2_000));
        let mut text = Exposition::default();
        text.histogram("d", &[("f", "x")], &histogram);
        let text = text.finish();
        assert!(
            text.contains("d_bucket{f=\"x\",le=\"900\"} 0\nd_bucket{f=\"x\",le=\"+Inf\"} 1\nd_sum{f=\"x\"} 2000\nd_count"),
            "{text}"
        );
    }

    #[test]
    fn names_have_allowed_characters_only() {
        let cases = [
            ("OrdersStored", "orders_stored"),
            ("AWS/Thing two", "aws_thing_two"),
            ("9x", "_9x"),
            ("", "_"),
            ("ä", "_"),
        ];
        for (given, expected) in cases {
            assert_eq!(Exposition::name(given), expected, "{given}");
        }
    }
}
