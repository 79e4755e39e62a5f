//! Checks of SQS mappings and their queues across settings: combinations that are invalid or
//! misleading.

use std::time::Duration;

use super::super::queues;
use super::super::scope::Scope;
use crate::model::{Application, Destination, Function, Queue, SqsMapping};

/// Largest batch without a batching window: the messages of one receive.
const MAX_RECEIVE: u32 = 10;

/// Visibility timeout that the service recommends, in multiples of the function's timeout.
const TIMES_TIMEOUT: u32 = 6;

/// Chooses the endpoint, reports invalid combinations, and warns of inefficient ones.
pub(in crate::template) fn check(scope: &Scope<'_>, application: &mut Application) {
    let fails_to_queue = application
        .kafka
        .iter()
        .any(|mapping| matches!(mapping.on_failure, Some(Destination::Sqs(_))));
    let mapped = fails_to_queue || !application.sqs.is_empty();
    queues::choose_endpoint(application, mapped, scope);
    for (at, mapping) in application.sqs.iter().enumerate() {
        batch(mapping, scope);
        twins(mapping, &application.sqs[..at], scope);
        let function = application.functions.get(&mapping.function);
        if let Some(function) = function {
            concurrency(mapping, function, scope);
        }
        let queue = queues::by_arn(&mapping.queue_arn, &application.queues);
        if let Some((function, queue)) = function.zip(queue) {
            visibility(mapping, function, queue, scope);
        }
    }
}

fn batch(mapping: &SqsMapping, scope: &Scope<'_>) {
    let id = &mapping.id;
    let size = mapping.batch_size;
    let (key, message) = if mapping.fifo() && size > MAX_RECEIVE {
        let message = format!(
            "{id}: a FIFO queue gives at most 10 messages to a batch, not {size}. Write \
             `BatchSize: 10` or less."
        );
        ("BatchSize", message)
    } else if mapping.fifo() && !mapping.batching_window.is_zero() {
        let message = format!(
            "{id}: a FIFO queue takes no batching window. Leave MaximumBatchingWindowInSeconds out."
        );
        ("MaximumBatchingWindowInSeconds", message)
    } else if size > MAX_RECEIVE && mapping.batching_window.is_zero() {
        let message = format!(
            "{id}: a batch of more than 10 messages needs time to gather. Add \
             `MaximumBatchingWindowInSeconds: 1` or more."
        );
        ("BatchSize", message)
    } else {
        return;
    };
    scope.problems.error(scope.mapping_line(id, key), message);
}

/// Two mappings of one queue share its messages.
fn twins(mapping: &SqsMapping, earlier: &[SqsMapping], scope: &Scope<'_>) {
    let Some(twin) = earlier.iter().find(|m| m.queue_arn == mapping.queue_arn) else {
        return;
    };
    let line = scope.mapping_line(&mapping.id, "");
    let queue = mapping.queue_name();
    if twin.function == mapping.function {
        let message = format!(
            "{} and {} both read {queue} for {}. Remove one.",
            twin.id, mapping.id, mapping.function
        );
        scope.problems.error(line, message);
    } else {
        let message = format!(
            "{} and {} read the same queue {queue}: each gets a part of its messages. Give each a \
             queue of its own if both need all.",
            twin.id, mapping.id
        );
        scope.problems.warn(line, message);
    }
}

fn concurrency(mapping: &SqsMapping, function: &Function, scope: &Scope<'_>) {
    let both = mapping.max_concurrency.zip(function.concurrency);
    if let Some((wanted, reserved)) = both.filter(|(wanted, reserved)| wanted > reserved) {
        let message = format!(
            "{}: MaximumConcurrency {wanted} is more than {} may have \
             (ReservedConcurrentExecutions {reserved}); on Lambda the rest is throttled.",
            mapping.id, function.id
        );
        let line = scope.mapping_line(&mapping.id, "ScalingConfig");
        scope.problems.warn(line, message);
    }
}

fn visibility(mapping: &SqsMapping, function: &Function, queue: &Queue, scope: &Scope<'_>) {
    let line = queues::line_of(queue, "VisibilityTimeout", scope);
    let id = &queue.id;
    let hidden = queue.visibility.as_secs();
    let timeout = function.timeout.as_secs();
    let advised = (function.timeout * TIMES_TIMEOUT + mapping.batching_window)
        .max(Duration::from_secs(1))
        .as_secs();
    if queue.visibility < function.timeout {
        let message = format!(
            "queue {id} hides a message for {hidden} s, less than the Timeout of {} ({timeout} s), \
             which would get it twice at once. Write `VisibilityTimeout: {advised}`.",
            function.id
        );
        scope.problems.error(line, message);
    } else if hidden < advised {
        let message = format!(
            "queue {id} hides a message for {hidden} s. With a Timeout of {timeout} s for {} the \
             service advises six times that, and the batching window on top: \
             `VisibilityTimeout: {advised}`.",
            function.id
        );
        scope.problems.warn(line, message);
    }
}
