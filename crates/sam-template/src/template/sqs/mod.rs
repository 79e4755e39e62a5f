//! SQS event source mappings: events of type `SQS`, and `AWS::Lambda::EventSourceMapping`.

pub(super) mod checks;

use super::function_event::FunctionEvent;
use super::mapping::{self, Common};
use super::queues::is_queue_arn;
use super::resources::Resource;
use super::scope::Scope;
use crate::document::{Node, Reader};
use crate::model::{Application, SqsMapping};

/// Properties without effect here.
pub(super) const IGNORED: &str = "ProvisionedPollerConfig";

/// An `SQS` event of a function.
pub(super) fn read_event(
    event: &FunctionEvent<'_>,
    scope: &Scope<'_>,
    application: &mut Application,
) {
    if let Some(properties) = properties(event.properties, "Queue", &event.id, scope) {
        let what = format!("event {}", event.id);
        let reader = Reader::new(&properties, what, scope.problems);
        let read = one(&reader, "Queue", &event.id, event.function);
        application.sqs.extend(read);
    }
}

/// An `AWS::Lambda::EventSourceMapping` whose source is a queue.
pub(super) fn read_mapping(resource: &Resource, scope: &Scope<'_>, application: &mut Application) {
    let id = &resource.id;
    let own = "FunctionName EventSourceArn";
    if let Some(properties) = properties(&resource.properties, own, id, scope) {
        let reader = Reader::new(&properties, resource.what(), scope.problems);
        let read = mapping::function(&reader, scope)
            .and_then(|function| one(&reader, "EventSourceArn", id, &function));
        application.sqs.extend(read);
    }
}

fn properties(node: &Node, own: &str, id: &str, scope: &Scope<'_>) -> Option<Node> {
    let read = format!("ScalingConfig {own}");
    mapping::properties(node, &format!("SQS source {id}"), &read, IGNORED, scope)
}

/// A mapping; `key` holds the ARN of its queue.
fn one(reader: &Reader<'_>, key: &str, id: &str, function: &str) -> Option<SqsMapping> {
    let before = reader.problems.failures();
    let queue = reader.required(key, &format!("Write `{key}: !GetAtt Queue.Arn`."))?;
    if !is_queue_arn(queue) {
        let message = format!(
            "{queue} is not the ARN of a queue. Write `{key}: !GetAtt Queue.Arn`; `!Ref Queue` is \
             its URL."
        );
        reader.error(key, &message);
    }
    let Common {
        batch_size,
        batching_window,
        partial_responses,
        filters,
        enabled,
    } = Common::read(reader, "body", 10);
    let scaling = reader.child("ScalingConfig");
    let concurrency = scaling.and_then(|s| s.number("MaximumConcurrency", 2..=1_000));
    let mapping = SqsMapping {
        id: id.to_owned(),
        function: function.to_owned(),
        queue_arn: queue.to_owned(),
        batch_size,
        batching_window,
        partial_responses,
        filters,
        max_concurrency: concurrency.map(|n| n as u32),
        enabled,
    };
    (reader.problems.failures() == before).then_some(mapping)
}
