//! Checks of SQS mappings and their queues across settings: combinations that are invalid or
//! misleading.

use std::time::Duration;

use super::super::resources::Resource;
use super::super::{kafka, queues};
use crate::document::{Node, Problems};
use crate::model::{Application, Destination, Function, Queue, SqsMapping};

/// Largest batch without a batching window: the messages of one receive.
const MAX_RECEIVE: u32 = 10;

/// Visibility timeout that the service recommends, in multiples of the function's timeout.
const TIMES_TIMEOUT: u32 = 6;

/// Reports invalid combinations, and warns of inefficient ones.
pub(in crate::template) fn check(
    resources: &[Resource],
    application: &Application,
    problems: &mut Problems,
) {
    let sources = application
        .sqs
        .iter()
        .map(|mapping| line_of(mapping, "", resources));
    let letters = application
        .kafka
        .iter()
        .filter(|mapping| matches!(mapping.on_failure, Some(Destination::Sqs(_))));
    let first = sources
        .chain(letters.map(|mapping| kafka::checks::line_of(mapping, resources)))
        .min();
    queues::check_endpoint(resources, application, first, problems);
    for (at, mapping) in application.sqs.iter().enumerate() {
        batch(mapping, resources, problems);
        twins(mapping, &application.sqs[..at], resources, problems);
        let function = application.functions.get(&mapping.function);
        if let Some(function) = function {
            concurrency(mapping, function, resources, problems);
        }
        let queue = queues::by_arn(&mapping.queue_arn, &application.queues);
        if let Some((function, queue)) = function.zip(queue) {
            visibility(mapping, function, queue, resources, problems);
        }
    }
}

fn batch(mapping: &SqsMapping, resources: &[Resource], problems: &mut Problems) {
    let id = &mapping.id;
    let size = mapping.batch_size;
    let line = line_of(mapping, "BatchSize", resources);
    if mapping.fifo() && size > MAX_RECEIVE {
        problems.error(
            line,
            format!(
                "{id}: a FIFO queue gives at most 10 messages to a batch, not {size}. Write \
                 `BatchSize: 10` or less."
            ),
        );
    } else if mapping.fifo() && !mapping.batching_window.is_zero() {
        let line = line_of(mapping, "MaximumBatchingWindowInSeconds", resources);
        problems.error(
            line,
            format!(
                "{id}: a FIFO queue takes no batching window. Leave \
                 MaximumBatchingWindowInSeconds out."
            ),
        );
    } else if size > MAX_RECEIVE && mapping.batching_window.is_zero() {
        problems.error(
            line,
            format!(
                "{id}: a batch of more than 10 messages needs time to gather. Add \
                 `MaximumBatchingWindowInSeconds: 1` or more."
            ),
        );
    }
}

/// Two mappings of one queue share its messages.
fn twins(
    mapping: &SqsMapping,
    earlier: &[SqsMapping],
    resources: &[Resource],
    problems: &mut Problems,
) {
    let Some(twin) = earlier.iter().find(|m| m.queue_arn == mapping.queue_arn) else {
        return;
    };
    let line = line_of(mapping, "", resources);
    let queue = mapping.queue_name();
    if twin.function == mapping.function {
        problems.error(
            line,
            format!(
                "{} and {} both read {queue} for {}. Remove one.",
                twin.id, mapping.id, mapping.function
            ),
        );
    } else {
        problems.warn(
            line,
            format!(
                "{} and {} read the same queue {queue}: each gets a part of its messages. Give \
                 each a queue of its own if both need all.",
                twin.id, mapping.id
            ),
        );
    }
}

fn concurrency(
    mapping: &SqsMapping,
    function: &Function,
    resources: &[Resource],
    problems: &mut Problems,
) {
    if let Some((wanted, reserved)) = mapping
        .max_concurrency
        .zip(function.concurrency)
        .filter(|(wanted, reserved)| wanted > reserved)
    {
        let line = line_of(mapping, "ScalingConfig", resources);
        problems.warn(
            line,
            format!(
                "{}: MaximumConcurrency {wanted} is more than {} may have \
                 (ReservedConcurrentExecutions {reserved}); on Lambda the rest is throttled.",
                mapping.id, function.id
            ),
        );
    }
}

fn visibility(
    mapping: &SqsMapping,
    function: &Function,
    queue: &Queue,
    resources: &[Resource],
    problems: &mut Problems,
) {
    let line = resources.iter().find(|r| r.id == queue.id).map_or(0, |r| {
        key_line(&r.properties, "VisibilityTimeout").unwrap_or(r.line)
    });
    let id = &queue.id;
    let hidden = queue.visibility.as_secs();
    let timeout = function.timeout.as_secs();
    let advised = (function.timeout * TIMES_TIMEOUT + mapping.batching_window)
        .max(Duration::from_secs(1))
        .as_secs();
    if queue.visibility < function.timeout {
        problems.error(
            line,
            format!(
                "queue {id} hides a message for {hidden} s, less than the Timeout of {} \
                 ({timeout} s), which would get it twice at once. Write `VisibilityTimeout: \
                 {advised}`.",
                function.id
            ),
        );
    } else if hidden < advised {
        problems.warn(
            line,
            format!(
                "queue {id} hides a message for {hidden} s. With a Timeout of {timeout} s for {} \
                 the service advises six times that, and the batching window on top: \
                 `VisibilityTimeout: {advised}`.",
                function.id
            ),
        );
    }
}

/// The line of a key of the mapping, or of the mapping.
fn line_of(mapping: &SqsMapping, key: &str, resources: &[Resource]) -> usize {
    let find = |id: &str| resources.iter().find(|r| r.id == id);
    let (node, line) = match mapping.id.split_once('.') {
        Some((function, event)) => {
            let events = find(function).and_then(|r| r.properties.get("Events"));
            let node = events
                .and_then(|events| events.get(event))
                .and_then(|event| event.get("Properties"));
            (node, node.map(|node| node.line))
        }
        None => (
            find(&mapping.id).map(|r| &r.properties),
            find(&mapping.id).map(|r| r.line),
        ),
    };
    node.and_then(|node| key_line(node, key))
        .or(line)
        .unwrap_or(0)
}

fn key_line(node: &Node, key: &str) -> Option<usize> {
    node.entries()
        .iter()
        .find(|entry| entry.key == key)
        .map(|entry| entry.line)
}
