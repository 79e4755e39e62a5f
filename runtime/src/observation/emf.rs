//! Metrics that functions print in `CloudWatch`'s embedded metric format.
//!
//! Source: "Specification: Embedded metric format", Amazon `CloudWatch` User Guide. A line is a
//! JSON object whose `_aws` member names the other members that are metrics, and their dimensions.
//! Any other line is plain output. Parts that violate the specification are ignored, as the service
//! ignores them.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use serde::Deserialize;
use serde_json::Value;

/// Maximum of dimensions of one metric (the service's limit).
const MAX_DIMENSIONS: usize = 30;

/// Maximum of metrics read from one line (the service's limit for one directive).
const MAX_METRICS: usize = 100;

/// Longest dimension value kept, bytes.
const LONGEST_VALUE: usize = 200;

/// Longest unit kept, bytes; the service's units have at most 16.
const LONGEST_UNIT: usize = 40;

/// Characters of a namespace or a metric's name (the specification's bounds, as for dimensions).
const NAME: RangeInclusive<usize> = 1..=1024;

/// Characters of a dimension's name.
const DIMENSION: RangeInclusive<usize> = 1..=250;

/// Values of one metric with one set of dimensions.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Namespace and name of the metric.
    pub metric: (String, String),
    /// `Count`, `Milliseconds`, ...; empty where the line names none.
    pub unit: String,
    /// Dimensions by name.
    pub dimensions: BTreeMap<String, String>,
    /// Measured values: finite numbers, at least one.
    pub values: Vec<f64>,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(rename = "CloudWatchMetrics", default)]
    directives: Vec<Directive>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Directive {
    namespace: String,
    #[serde(default)]
    dimensions: Vec<Vec<String>>,
    #[serde(default)]
    metrics: Vec<Metric>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metric {
    name: String,
    #[serde(default)]
    unit: String,
}

/// The metrics of a line; none if it contains no metrics.
///
/// Of several sets of dimensions the first of the most detailed ones counts: the others are sums of
/// it, which a reader of the series can compute.
pub fn points(line: &str) -> Vec<Point> {
    // A cheap check for all other lines.
    if !line.starts_with('{') || !line.contains("\"_aws\"") {
        return Vec::new();
    }
    let Ok(mut root) = strict_json::from_str::<BTreeMap<String, Value>>(line) else {
        return Vec::new();
    };
    let metadata = root
        .remove("_aws")
        .and_then(|metadata| strict_json::from_value::<Metadata>(metadata).ok());
    let directives = metadata
        .map(|metadata| metadata.directives)
        .unwrap_or_default();
    directives
        .iter()
        .flat_map(|directive| read(directive, &root))
        .take(MAX_METRICS)
        .collect()
}

fn read<'a>(
    directive: &'a Directive,
    root: &'a BTreeMap<String, Value>,
) -> impl Iterator<Item = Point> + use<'a> {
    let detailed = directive
        .dimensions
        .iter()
        .rev()
        .max_by_key(|set| set.len());
    let names = detailed
        .into_iter()
        .flatten()
        .filter(|name| fits(name, &DIMENSION))
        .take(MAX_DIMENSIONS);
    let dimensions: BTreeMap<String, String> = names
        .filter_map(|name| Some((name.clone(), dimension(root.get(name)?)?)))
        .collect();
    let named = directive
        .metrics
        .iter()
        .filter(|metric| fits(&directive.namespace, &NAME) && fits(&metric.name, &NAME));
    named.filter_map(move |metric| {
        let values = numbers(root.get(&metric.name)?);
        (!values.is_empty()).then(|| Point {
            metric: (directive.namespace.clone(), metric.name.clone()),
            unit: super::shortened(&metric.unit, LONGEST_UNIT),
            dimensions: dimensions.clone(),
            values,
        })
    })
}

fn fits(name: &str, bounds: &RangeInclusive<usize>) -> bool {
    bounds.contains(&name.chars().count())
}

fn dimension(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(super::shortened(text, LONGEST_VALUE)),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// A number, or a list of numbers.
fn numbers(value: &Value) -> Vec<f64> {
    let one = |value: &Value| value.as_f64().filter(|number| number.is_finite());
    match value {
        Value::Array(items) => items.iter().take(MAX_METRICS).filter_map(one).collect(),
        other => one(other).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const LINE: &str = r#"{"_aws":{"Timestamp":1,"CloudWatchMetrics":[{"Namespace":"Shop","Dimensions":[["Env"],["Env","Kind"]],
        "Metrics":[{"Name":"Sold","Unit":"Count"},{"Name":"Missing"},{"Name":"Took","Unit":"Milliseconds"}]}]},
        "Env":"demo","Kind":7,"Sold":3,"Took":[1.5,2]}"#;

    #[test]
    fn a_line_yields_each_metric_with_its_most_detailed_dimensions() {
        let found = points(LINE);
        let names: Vec<&str> = found.iter().map(|point| point.metric.1.as_str()).collect();
        assert_eq!(names, ["Sold", "Took"]);
        assert_eq!(found[0].values, [3.0]);
        assert_eq!(found[1].values, [1.5, 2.0]);
        assert_eq!(
            found[0].dimensions,
            [("Env", "demo"), ("Kind", "7")]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .into()
        );
    }

    /// Arrays in the place of objects.
    const POSITIONAL: &str = r#"{"_aws":[[["Shop",[[]],[["Sold","Count"]]]],1],"Sold":3}"#;

    #[test]
    fn names_out_of_bounds_are_left_out() {
        let line = |namespace: &str, name: &str, dimension: &str| {
            let directive = json!({"Namespace": namespace, "Dimensions": [[dimension]], "Metrics": [{"Name": name}]});
            points(
                &json!({"_aws": {"CloudWatchMetrics": [directive]}, name: 1, dimension: "v"})
                    .to_string(),
            )
        };
        let long = "x".repeat(1025);
        assert_eq!(line("S", "M", &long[..250])[0].dimensions.len(), 1);
        assert_eq!(line("S", "M", &long[..251])[0].dimensions.len(), 0);
        for (namespace, name) in [
            ("", "M"),
            ("S", ""),
            (long.as_str(), "M"),
            ("S", long.as_str()),
        ] {
            assert_eq!(line(namespace, name, "D"), []);
        }
    }

    #[test]
    fn other_lines_yield_no_metrics() {
        for line in [
            "",
            "hello \"_aws\"",
            "{\"_aws\": 3}",
            "{\"_aws\"",
            "{\"a\":1}",
            r#"{"_aws":{"CloudWatchMetrics":[{}]}}"#,
            POSITIONAL,
        ] {
            assert_eq!(points(line), [], "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_printed_line_is_accepted(line in "\\{\"_aws\":\\PC{0,80}") {
            let _ = points(&line);
        }
    }
}
