//! SQS event source mappings: events of type `SQS`, and `AWS::Lambda::EventSourceMapping`.

pub(super) mod checks;

use std::time::Duration;

use super::function_event::FunctionEvent;
use super::queues::is_queue_arn;
use super::resources::{Resource, resolved};
use super::scope::Scope;
use super::{filters, functions};
use crate::document::{Node, Problems, Reader};
use crate::model::{Application, SqsMapping};

/// Properties of both forms.
pub(super) const COMMON: [&str; 6] = [
    "BatchSize",
    "MaximumBatchingWindowInSeconds",
    "Enabled",
    "FilterCriteria",
    "FunctionResponseTypes",
    "ScalingConfig",
];

/// Properties without effect here.
pub(super) const IGNORED: [&str; 6] = [
    "KmsKeyArn",
    "MetricsConfig",
    "LoggingConfig",
    "Tags",
    "FilterEncryption",
    "ProvisionedPollerConfig",
];

/// An `SQS` event of a function.
pub(super) fn read_event(
    event: &FunctionEvent<'_>,
    scope: &Scope<'_>,
    application: &mut Application,
    problems: &mut Problems,
) {
    let Some(properties) = properties(event.properties, &["Queue"], &event.id, scope, problems)
    else {
        return;
    };
    let reader = Reader::new(&properties, format!("event {}", event.id));
    push(
        &reader,
        "Queue",
        &event.id,
        event.function,
        application,
        problems,
    );
}

/// An `AWS::Lambda::EventSourceMapping` whose source is a queue.
pub(super) fn read_mapping(
    resource: &Resource,
    resources: &[Resource],
    scope: &Scope<'_>,
    application: &mut Application,
    problems: &mut Problems,
) {
    let id = &resource.id;
    let own = ["FunctionName", "EventSourceArn"];
    let Some(properties) = properties(&resource.properties, &own, id, scope, problems) else {
        return;
    };
    let reader = Reader::new(&properties, format!("mapping {id}"));
    let Some(name) = reader.required(
        "FunctionName",
        "Write `FunctionName: !Ref Function`.",
        problems,
    ) else {
        return;
    };
    let Some(function) = functions::by_name(name, resources, scope) else {
        let message = format!(
            "mapping {id} names the function {name}, which is not in this template. Write `!Ref \
             Function`."
        );
        problems.error(reader.line("FunctionName"), message);
        return;
    };
    push(
        &reader,
        "EventSourceArn",
        id,
        &function,
        application,
        problems,
    );
}

/// Checks the keys and evaluates the properties that are read.
fn properties(
    node: &Node,
    own: &[&str],
    id: &str,
    scope: &Scope<'_>,
    problems: &mut Problems,
) -> Option<Node> {
    let known: Vec<&str> = COMMON.iter().chain(own).chain(&IGNORED).copied().collect();
    let before = problems.failures();
    let reader = Reader::new(node, format!("SQS source {id}"));
    reader.only(&known, problems);
    let wanted: Vec<&str> = COMMON.iter().chain(own).copied().collect();
    let properties = resolved(node, &wanted, scope, problems)?;
    (problems.failures() == before).then_some(properties)
}

fn push(
    reader: &Reader<'_>,
    key: &str,
    id: &str,
    function: &str,
    application: &mut Application,
    problems: &mut Problems,
) {
    let before = problems.failures();
    let Some(queue) = reader.required(key, &format!("Write `{key}: !GetAtt Queue.Arn`."), problems)
    else {
        return;
    };
    if !is_queue_arn(queue) {
        let message = format!(
            "{}: {queue} is not the ARN of a queue. Write `{key}: !GetAtt Queue.Arn`; `!Ref \
             Queue` is its URL.",
            reader.what
        );
        problems.error(reader.line(key), message);
    }
    let responses = reader.texts("FunctionResponseTypes", problems);
    if let Some(other) = responses.iter().find(|r| **r != "ReportBatchItemFailures") {
        problems.error(
            reader.line("FunctionResponseTypes"),
            format!(
                "{}: the only FunctionResponseTypes value is ReportBatchItemFailures, not {other}.",
                reader.what
            ),
        );
    }
    let scaling = reader.child("ScalingConfig", problems);
    let window = reader
        .number("MaximumBatchingWindowInSeconds", 0..=300, problems)
        .unwrap_or(0);
    let mapping = SqsMapping {
        id: id.to_owned(),
        function: function.to_owned(),
        queue_arn: queue.to_owned(),
        batch_size: reader
            .number("BatchSize", 1..=10_000, problems)
            .unwrap_or(10) as u32,
        batching_window: Duration::from_secs(window as u64),
        partial_responses: !responses.is_empty(),
        filters: filters::read(reader, "body", problems),
        max_concurrency: scaling
            .and_then(|s| s.number("MaximumConcurrency", 2..=1_000, problems))
            .map(|n| n as u32),
        enabled: reader.flag("Enabled", problems).unwrap_or(true),
    };
    if problems.failures() == before {
        application.sqs.push(mapping);
    }
}
