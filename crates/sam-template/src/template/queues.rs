//! `AWS::SQS::Queue`: the queues that the host creates at startup, and the endpoint of SQS.

use std::collections::BTreeMap;
use std::time::Duration;

use super::resources::Resource;
use super::scope::Scope;
use crate::document::{Problems, Reader};
use crate::model::sqs::{DEFAULT_VISIBILITY, is_fifo, name_of};
use crate::model::{Application, Queue, Redrive};

const KIND: &str = "AWS::SQS::Queue";

const READ: [&str; 11] = [
    "QueueName",
    "FifoQueue",
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "FifoThroughputLimit",
    "VisibilityTimeout",
    "MessageRetentionPeriod",
    "DelaySeconds",
    "ReceiveMessageWaitTimeSeconds",
    "MaximumMessageSize",
    "RedrivePolicy",
];

/// Encryption, permissions and labels, which have no effect here.
const IGNORED: [&str; 5] = [
    "KmsMasterKeyId",
    "KmsDataKeyReusePeriodSeconds",
    "SqsManagedSseEnabled",
    "RedriveAllowPolicy",
    "Tags",
];

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
pub(super) fn read(
    resources: &[Resource],
    scope: &Scope<'_>,
    application: &mut Application,
    problems: &mut Problems,
) {
    application.sqs_endpoint = scope.sqs.map(str::to_owned);
    application.redis_endpoint = scope.redis.map(str::to_owned);
    let own: Vec<&Resource> = resources.iter().filter(|r| r.kind == KIND).collect();
    for resource in &own {
        let known: Vec<&str> = READ.iter().chain(&IGNORED).copied().collect();
        Reader::new(&resource.properties, format!("queue {}", resource.id)).only(&known, problems);
        application.queues.extend(one(resource, scope, problems));
    }
    // An invalid queue is missing here and cannot be compared.
    let sound = application.queues.len() == own.len();
    for queue in application.queues.iter().filter(|_| sound) {
        let line = own
            .iter()
            .find(|r| r.id == queue.id)
            .map_or(0, |r| line_of(r, "RedrivePolicy"));
        check_names(queue, &application.queues, &own, problems);
        check_redrive(queue, &application.queues, line, problems);
    }
}

/// Reports an application that needs SQS without an endpoint: it would call AWS.
pub(super) fn check_endpoint(
    resources: &[Resource],
    application: &Application,
    line: Option<usize>,
    problems: &mut Problems,
) {
    if application.sqs_endpoint.is_some() {
        return;
    }
    let queue = resources.iter().find(|r| r.kind == KIND).map(|r| r.line);
    if let Some(line) = queue.into_iter().chain(line).min() {
        let message = "the template uses SQS, and no local endpoint is configured; the functions \
            would call AWS. Write into usher.toml: [endpoints] sqs = \"http://127.0.0.1:9324\" \
            (ElasticMQ, say), or --sqs-endpoint URL.";
        problems.error(line, message);
    }
}

fn one(resource: &Resource, scope: &Scope<'_>, problems: &mut Problems) -> Option<Queue> {
    let properties = resource.resolved(&READ, scope, problems)?;
    let reader = Reader::new(&properties, format!("queue {}", resource.id));
    let before = problems.failures();
    let name = scope.name_of(&resource.id);
    let fifo = reader.flag("FifoQueue", problems).unwrap_or(false);
    check_name(&reader, &name, fifo, problems);
    let attributes = attributes(&reader, fifo, problems);
    let visibility = attributes
        .get("VisibilityTimeout")
        .and_then(|seconds| seconds.parse().ok());
    let queue = Queue {
        id: resource.id.clone(),
        arn: scope
            .attribute(&resource.id, "Arn", resource.line, problems)
            .text()?
            .to_owned(),
        name,
        fifo,
        visibility: visibility.map_or(DEFAULT_VISIBILITY, Duration::from_secs),
        attributes,
        redrive: redrive(&reader, problems),
    };
    (problems.failures() == before).then_some(queue)
}

fn check_name(reader: &Reader<'_>, name: &str, fifo: bool, problems: &mut Problems) {
    let line = reader.line("QueueName");
    let what = &reader.what;
    let bare = name.strip_suffix(".fifo").unwrap_or(name);
    if name.len() > 80
        || bare.is_empty()
        || !bare
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    {
        problems.error(
            line,
            format!(
                "{what}: '{name}' is not a queue's name. Use up to 80 letters, digits, - and _."
            ),
        );
    } else if fifo && !is_fifo(name) {
        problems.error(
            line,
            format!(
                "{what}: the name of a FIFO queue ends with .fifo. Write `QueueName: {name}.fifo`."
            ),
        );
    } else if !fifo && is_fifo(name) {
        problems.error(
            line,
            format!(
                "{what}: '{name}' names a FIFO queue, and this is none. Write `FifoQueue: true`, \
                 or another name."
            ),
        );
    }
}

fn attributes(
    reader: &Reader<'_>,
    fifo: bool,
    problems: &mut Problems,
) -> BTreeMap<String, String> {
    let mut attributes: BTreeMap<String, String> = DEFAULTS
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    for (name, bounds) in NUMBERS {
        if let Some(number) = reader.number(name, bounds, problems) {
            attributes.insert(name.to_owned(), number.to_string());
        }
    }
    if fifo {
        attributes.insert("FifoQueue".to_owned(), "true".to_owned());
    }
    for (name, allowed) in OF_FIFO {
        let Some(value) = reader.text(name, problems) else {
            continue;
        };
        if !allowed.contains(&value) {
            let message = format!(
                "{}: {name} is {}, not {value}.",
                reader.what,
                allowed.join(" or ")
            );
            problems.error(reader.line(name), message);
        } else if fifo {
            attributes.insert(name.to_owned(), value.to_owned());
        } else if value != "false" {
            let message = format!(
                "{}: {name} is for FIFO queues. Write `FifoQueue: true`, or leave it out.",
                reader.what
            );
            problems.error(reader.line(name), message);
        }
    }
    attributes
}

fn redrive(reader: &Reader<'_>, problems: &mut Problems) -> Option<Redrive> {
    let policy = reader.child("RedrivePolicy", problems)?;
    policy.only(&["deadLetterTargetArn", "maxReceiveCount"], problems);
    let target = policy.required(
        "deadLetterTargetArn",
        "Write `deadLetterTargetArn: !GetAtt DeadLetters.Arn`.",
        problems,
    )?;
    if !is_queue_arn(target) {
        problems.error(
            policy.line("deadLetterTargetArn"),
            format!(
                "{}: {target} is not the ARN of a queue. Write `!GetAtt DeadLetters.Arn`.",
                policy.what
            ),
        );
        return None;
    }
    if policy.get("maxReceiveCount").is_none() {
        problems.error(
            policy.node.line,
            format!(
                "{} has no maxReceiveCount. Write for example `maxReceiveCount: 5`.",
                policy.what
            ),
        );
    }
    let max_receives = policy.number("maxReceiveCount", 1..=1_000, problems)? as u32;
    Some(Redrive {
        target: target.to_owned(),
        max_receives,
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
        attributes: DEFAULTS
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        redrive: None,
    }
}

/// `arn:aws:sqs:region:account:name`.
pub(super) fn is_queue_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.split(':').collect();
    parts.len() == 6 && parts[0] == "arn" && parts[2] == "sqs" && !parts[5].is_empty()
}

fn check_names(queue: &Queue, queues: &[Queue], own: &[&Resource], problems: &mut Problems) {
    let earlier = queues
        .iter()
        .take_while(|q| q.id != queue.id)
        .find(|q| q.name == queue.name);
    if let Some(earlier) = earlier {
        let line = own
            .iter()
            .find(|r| r.id == queue.id)
            .map_or(0, |r| line_of(r, "QueueName"));
        problems.error(
            line,
            format!(
                "queue {}: {} already has the name {}. Give each its own.",
                queue.id, earlier.id, queue.name
            ),
        );
    }
}

/// Checks that the dead-letter queue is another queue of the same kind. At startup the host checks
/// that a queue from outside the template exists.
fn check_redrive(queue: &Queue, queues: &[Queue], line: usize, problems: &mut Problems) {
    let Some(redrive) = &queue.redrive else {
        return;
    };
    let id = &queue.id;
    let target = redrive.target_name();
    let declared = queues.iter().find(|q| q.name == target);
    if declared.is_some_and(|q| q.id == *id) {
        problems.error(
            line,
            format!("queue {id}: its dead letters would go to itself. Name another queue."),
        );
    } else if is_fifo(target) != queue.fifo {
        let (kind, other) = if queue.fifo {
            ("a FIFO queue", "a standard one")
        } else {
            ("a standard queue", "a FIFO queue")
        };
        problems.error(
            line,
            format!(
                "queue {id} is {kind}, and its dead-letter queue {target} is {other}. Both must \
                 be of the same kind."
            ),
        );
    }
}

fn line_of(resource: &Resource, key: &str) -> usize {
    let entry = resource.properties.entries().iter().find(|e| e.key == key);
    entry.map_or(resource.line, |entry| entry.line)
}

/// The queue of the template with this ARN.
pub(super) fn by_arn<'a>(arn: &str, queues: &'a [Queue]) -> Option<&'a Queue> {
    queues.iter().find(|queue| queue.name == name_of(arn))
}
