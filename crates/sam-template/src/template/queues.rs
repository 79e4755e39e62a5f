//! `AWS::SQS::Queue`: the queues that the host creates at startup, and the endpoint of SQS.

use std::collections::BTreeMap;
use std::time::Duration;

use super::environment;
use super::resources::Resource;
use super::scope::Scope;
use crate::document::{Reader, is_name};
use crate::model::sqs::{DEFAULT_VISIBILITY, is_fifo, name_of};
use crate::model::{Application, Queue, RedisEndpoint, Redrive};
use crate::project::SourcedValue;

const KIND: &str = "AWS::SQS::Queue";

pub(super) const READ: &str = "QueueName FifoQueue ContentBasedDeduplication DeduplicationScope \
    FifoThroughputLimit VisibilityTimeout MessageRetentionPeriod DelaySeconds \
    ReceiveMessageWaitTimeSeconds MaximumMessageSize RedrivePolicy";

/// Numeric attributes, and their bounds on the service.
const NUMBERS: [(&str, std::ops::RangeInclusive<i64>); 5] = [
    ("VisibilityTimeout", 0..=43_200),
    ("MessageRetentionPeriod", 60..=1_209_600),
    ("DelaySeconds", 0..=900),
    ("ReceiveMessageWaitTimeSeconds", 0..=20),
    ("MaximumMessageSize", 1_024..=1_048_576),
];

/// Attributes of FIFO queues only, and their values.
const OF_FIFO: [(&str, [&str; 2]); 3] = [
    ("ContentBasedDeduplication", ["true", "false"]),
    ("DeduplicationScope", ["messageGroup", "queue"]),
    ("FifoThroughputLimit", ["perMessageGroupId", "perQueue"]),
];

/// Defaults of attributes: a queue that exists with another value is reset to these.
const DEFAULTS: [(&str, &str); 3] = [
    ("VisibilityTimeout", "30"),
    ("DelaySeconds", "0"),
    ("ReceiveMessageWaitTimeSeconds", "0"),
];

/// Reads every queue into the application, then checks their redrive policies.
pub(super) fn read(scope: &Scope<'_>, application: &mut Application) {
    let url = |given: &Option<SourcedValue>| given.as_ref().map(|given| given.value.clone());
    application.sqs_endpoint = url(&scope.project.sqs);
    application.redis_endpoint = url(&scope.project.redis).map(|url| RedisEndpoint {
        url,
        ca: scope.project.redis_ca.clone(),
    });
    for resource in scope.of_kind(KIND) {
        resource.check_names(READ, scope);
        application.queues.extend(one(resource, scope));
    }
    // An invalid queue is missing here and cannot be compared.
    if application.queues.len() == scope.of_kind(KIND).count() {
        for queue in &application.queues {
            check_names(queue, &application.queues, scope);
            check_redrive(queue, &application.queues, scope);
        }
    }
}

/// Selects the embedded queues for an application that needs SQS and has no endpoint: it would call
/// AWS. `mapped`: a mapping reads a queue, or fails to one.
pub(super) fn choose_endpoint(application: &mut Application, mapped: bool, scope: &Scope<'_>) {
    let needed = mapped || !application.queues.is_empty();
    if application.sqs_endpoint.is_some() || !needed {
        return;
    }
    let embedded = scope.project.embedded_queues;
    application.sqs_endpoint = Some(embedded.url());
    application.embedded_queues = Some(embedded);
    for function in application.functions.values_mut() {
        environment::set_sqs(function, &embedded.url());
    }
}

fn one(resource: &Resource, scope: &Scope<'_>) -> Option<Queue> {
    let properties = resource.resolved(READ, scope)?;
    let reader = Reader::new(&properties, resource.what(), scope.problems);
    let before = scope.problems.failures();
    let name = scope.name_of(&resource.id);
    let fifo = reader.flag("FifoQueue").unwrap_or(false);
    check_name(&reader, &name, fifo);
    let attributes = attributes(&reader, fifo);
    let visibility = attributes
        .get("VisibilityTimeout")
        .and_then(|seconds| seconds.parse().ok());
    let arn = scope.attribute(&resource.id, "Arn", resource.line);
    let queue = Queue {
        id: resource.id.clone(),
        arn: arn.text()?.to_owned(),
        name,
        fifo,
        visibility: visibility.map_or(DEFAULT_VISIBILITY, Duration::from_secs),
        attributes,
        redrive: redrive(&reader),
    };
    (scope.problems.failures() == before).then_some(queue)
}

fn check_name(reader: &Reader<'_>, name: &str, fifo: bool) {
    let bare = name.strip_suffix(".fifo").unwrap_or(name);
    let message = if name.len() > 80 || !is_name(bare, "-_", 80) {
        format!("'{name}' is not a queue's name. Use up to 80 letters, digits, - and _.")
    } else if fifo && !is_fifo(name) {
        format!("the name of a FIFO queue ends with .fifo. Write `QueueName: {name}.fifo`.")
    } else if !fifo && is_fifo(name) {
        format!(
            "'{name}' names a FIFO queue, and this is none. Write `FifoQueue: true`, or another \
             name."
        )
    } else {
        return;
    };
    reader.error("QueueName", &message);
}

/// The attributes that have a default.
fn defaults() -> BTreeMap<String, String> {
    let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    DEFAULTS.map(owned).into()
}

fn attributes(reader: &Reader<'_>, fifo: bool) -> BTreeMap<String, String> {
    let mut attributes = defaults();
    for (name, bounds) in NUMBERS {
        if let Some(number) = reader.number(name, bounds) {
            attributes.insert(name.to_owned(), number.to_string());
        }
    }
    if fifo {
        attributes.insert("FifoQueue".to_owned(), "true".to_owned());
    }
    for (name, allowed) in OF_FIFO {
        let Some(value) = reader.choice(name, &allowed) else {
            continue;
        };
        if fifo {
            attributes.insert(name.to_owned(), value.to_owned());
        } else if value != "false" {
            let message =
                format!("{name} is for FIFO queues. Write `FifoQueue: true`, or leave it out.");
            reader.error(name, &message);
        }
    }
    attributes
}

fn redrive(reader: &Reader<'_>) -> Option<Redrive> {
    let policy = reader.child("RedrivePolicy")?;
    policy.only("deadLetterTargetArn maxReceiveCount");
    let remedy = "Write `deadLetterTargetArn: !GetAtt DeadLetters.Arn`.";
    let target = policy.required("deadLetterTargetArn", remedy)?;
    if !is_queue_arn(target) {
        let message =
            format!("{target} is not the ARN of a queue. Write `!GetAtt DeadLetters.Arn`.");
        policy.error("deadLetterTargetArn", &message);
        return None;
    }
    // The number is read first: its message about another kind names the bounds.
    let receives = policy.number("maxReceiveCount", 1..=1_000);
    policy.required("maxReceiveCount", "Write for example `maxReceiveCount: 5`.");
    Some(Redrive {
        target: target.to_owned(),
        max_receives: receives? as u32,
    })
}

/// A queue that SAM creates for a destination without an ARN.
pub(super) fn made_by_sam(id: &str, scope: &Scope<'_>) -> Queue {
    let name = scope.name_of(id);
    Queue {
        id: id.to_owned(),
        arn: scope.location.arn("sqs", &name),
        name,
        fifo: false,
        visibility: DEFAULT_VISIBILITY,
        attributes: defaults(),
        redrive: None,
    }
}

/// `arn:aws:sqs:region:account:name`.
pub(super) fn is_queue_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    parts.len() == 6 && parts[0] == "arn" && parts[2] == "sqs" && !parts[5].is_empty()
}

/// The line of a property of a queue.
pub(super) fn line_of(queue: &Queue, key: &str, scope: &Scope<'_>) -> usize {
    scope
        .resource(&queue.id)
        .map_or(0, |resource| resource.line_of(key))
}

fn check_names(queue: &Queue, queues: &[Queue], scope: &Scope<'_>) {
    let mut earlier = queues.iter().take_while(|q| q.id != queue.id);
    if let Some(earlier) = earlier.find(|q| q.name == queue.name) {
        let message = format!(
            "queue {}: {} already has the name {}. Give each its own.",
            queue.id, earlier.id, queue.name
        );
        scope
            .problems
            .error(line_of(queue, "QueueName", scope), message);
    }
}

/// Checks that the dead-letter queue is another queue of the same kind. At startup the host checks
/// that a queue from outside the template exists.
fn check_redrive(queue: &Queue, queues: &[Queue], scope: &Scope<'_>) {
    let Some(redrive) = &queue.redrive else {
        return;
    };
    let id = &queue.id;
    let target = redrive.target_name();
    let declared = queues.iter().find(|q| q.name == target);
    let message = if declared.is_some_and(|q| q.id == *id) {
        format!("queue {id}: its dead letters would go to itself. Name another queue.")
    } else if is_fifo(target) != queue.fifo {
        let (kind, other) = if queue.fifo {
            ("a FIFO queue", "a standard one")
        } else {
            ("a standard queue", "a FIFO queue")
        };
        format!(
            "queue {id} is {kind}, and its dead-letter queue {target} is {other}. Both must be of \
             the same kind."
        )
    } else {
        return;
    };
    scope
        .problems
        .error(line_of(queue, "RedrivePolicy", scope), message);
}

/// The queue of the template with this ARN.
pub(super) fn by_arn<'a>(arn: &str, queues: &'a [Queue]) -> Option<&'a Queue> {
    queues.iter().find(|queue| queue.name == name_of(arn))
}
