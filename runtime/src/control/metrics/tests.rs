//! The text that Prometheus reads.

use proptest::prelude::*;
use serde_json::json;

use super::exposition::check;
use super::*;
use crate::instances::FunctionStats;
use crate::sources::sqs::{SqsSourceKind, SqsStatus};

/// A line in the embedded metric format with one metric and these dimensions.
fn line(
    namespace: &str,
    metric: &str,
    unit: &str,
    dimensions: &[(String, String)],
    value: f64,
) -> String {
    let names: Vec<&String> = dimensions.iter().map(|(name, _)| name).collect();
    let directive = json!({
        "Namespace": namespace,
        "Dimensions": [names],
        "Metrics": [{ "Name": metric, "Unit": unit }],
    });
    let mut line = json!({ "_aws": { "CloudWatchMetrics": [directive] } });
    for (name, value) in dimensions {
        line[name] = value.clone().into();
    }
    line[metric] = value.into();
    line.to_string()
}

/// Few names that are close to one another, so that some of them clash.
fn name() -> impl Strategy<Value = String> {
    let parts = prop::sample::select(vec![
        "Foo", "foo", "_count", "Count", "_sum", "_bucket", "_total", " ", "/", "ä", "2",
    ]);
    prop::collection::vec(parts, 1..4).prop_map(|parts| parts.concat())
}

/// Up to two dimensions with any values.
fn dimensions() -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::vec((name(), "[\\PC\n\r\"\\\\\0]{0,4}"), 0..3)
}

proptest! {
    #[test]
    fn the_exposition_is_valid_whatever_functions_print(
        rows in prop::collection::vec(
            (name(), name(), "\\PC{0,3}", dimensions(), any::<f64>()),
            0..30,
        ),
    ) {
        let observations = Observations::default();
        let mut metrics = std::collections::BTreeSet::new();
        let finite = rows.iter().filter(|row| row.4.is_finite());
        for (namespace, metric, unit, dimensions, value) in finite {
            let text = line(namespace, metric, unit, dimensions, *value);
            if !crate::observation::points(&text).is_empty() {
                metrics.insert((namespace.clone(), metric.clone()));
            }
            observations.printed("F", &text);
            observations.printed("G", &text);
        }
        let text = render(&HostStatus::default(), &observations);
        let families = check(&text)
            .map_err(|wrong| TestCaseError::fail(format!("{wrong}\n{text}")))?;
        let printed = families.iter().filter(|family| family.starts_with("emf_")).count();
        prop_assert_eq!(printed, metrics.len(), "each metric is a family of its own");
    }
}

#[test]
fn metrics_that_a_function_prints_become_series() {
    let observations = Observations::default();
    let dimensions = [("Env".to_owned(), "a\"b".to_owned())];
    let line = line("Shop", "OrdersStored", "Count", &dimensions, 4.0);
    observations.printed("F", &line);
    observations.printed("F", &line);
    let text = render(&HostStatus::default(), &observations);
    let labels = r#"{function="F",unit="Count",d_env="a\"b"}"#;
    assert!(
        text.contains(&format!(
            "emf_shop_orders_stored_sum{labels} 8\nemf_shop_orders_stored_count{labels} 2\n"
        )),
        "{text}"
    );
    assert!(text.contains("usher_emf_dropped_total 0\n"));
}

#[test]
fn an_alarm_that_a_function_logs_is_counted() {
    let observations = Observations::default();
    let line = r#"{"level":"ERROR","alarm":"record_parked","message":"a record was parked"}"#;
    observations.printed("OrderCreate", line);
    observations.printed("OrderCreate", line);
    let text = render(&HostStatus::default(), &observations);
    let counted = r#"usher_alarms_total{alarm="record_parked",function="OrderCreate"} 2"#;
    assert!(text.lines().any(|line| line == counted), "{text}");
    check(&text).expect("a valid exposition");
}

#[test]
fn an_unknown_depth_of_a_queue_is_no_sample() {
    let queue = |mapping: &str, waiting| SqsStatus {
        mapping: mapping.into(),
        queue: "q".into(),
        waiting,
        ..SqsStatus::default()
    };
    let queues = [queue("New", None), queue("Empty", Some(0))];
    let status = HostStatus {
        sources: queues
            .map(|queue| (&SqsSourceKind as _, queue.into()))
            .into(),
        ..HostStatus::default()
    };
    let text = render(&status, &Observations::default());
    let samples: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("usher_sqs_waiting"))
        .collect();
    assert_eq!(
        samples,
        [r#"usher_sqs_waiting{mapping="Empty",queue="q"} 0"#]
    );
    assert!(text.contains("usher_sqs_received_total{mapping=\"New\",queue=\"q\"} 0\n"));
}

#[test]
fn no_family_is_announced_twice() {
    let function = FunctionStats {
        function: "F".into(),
        invocations: 3,
        ..FunctionStats::default()
    };
    let status = HostStatus {
        functions: vec![function.clone(), function],
        ..HostStatus::default()
    };
    let text = render(&status, &Observations::default());
    let mut types: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("# TYPE"))
        .collect();
    let all = types.len();
    types.sort_unstable();
    types.dedup();
    assert_eq!(types.len(), all);
    assert!(text.contains("usher_function_invocations_total{function=\"F\"} 3\n"));
}
