//! Kafka event source mappings: SAM's two event kinds, and `AWS::Lambda::EventSourceMapping`.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::events::Event;
use super::queues::is_queue_arn;
use super::resources::{Resource, resolved};
use super::scope::Scope;
use super::{filters, functions, kafka_access};
use crate::document::{Node, Problems, Reader};
use crate::model::sqs::{is_fifo, name_of};
use crate::model::{Application, Destination, KafkaKind, KafkaMapping, Security, StartingPosition};
use crate::project::{Project, broker_list};

/// Read for every form.
pub(super) const COMMON: [&str; 14] = [
    "Topics",
    "BatchSize",
    "MaximumBatchingWindowInSeconds",
    "Enabled",
    "StartingPosition",
    "StartingPositionTimestamp",
    "FunctionResponseTypes",
    "BisectBatchOnFunctionError",
    "MaximumRetryAttempts",
    "MaximumRecordAgeInSeconds",
    "DestinationConfig",
    "FilterCriteria",
    "SourceAccessConfigurations",
    "ProvisionedPollerConfig",
];
/// Would change what the function receives; running without them would be a lie.
pub(super) const REFUSED: [(&str, &str); 2] = [
    (
        "ConsumptionMode",
        "it is a pre-release setting. Leave it out",
    ),
    (
        "SchemaRegistryConfig",
        "schema registries are not asked from here. Decode in the function",
    ),
];
/// Do nothing here, and nothing is lost by it.
pub(super) const IGNORED: [&str; 6] = [
    "KmsKeyArn",
    "MetricsConfig",
    "LoggingConfig",
    "Tags",
    "FilterEncryption",
    "SecretsManagerKmsKeyId",
];

/// A `SelfManagedKafka` or `MSK` event of a function.
pub(super) fn read_event(
    event: &Event<'_>,
    kind: &str,
    scope: &Scope<'_>,
    project: &Project,
    application: &mut Application,
    problems: &mut Problems,
) {
    let own: &[&str] = if kind == "MSK" {
        &["Stream", "ConsumerGroupId"]
    } else {
        &["KafkaBootstrapServers", "ConsumerGroupId"]
    };
    let Some(properties) = properties(event.properties, own, &event.id, scope, problems) else {
        return;
    };
    let reader = Reader::new(&properties, format!("event {}", event.id));
    let source = if kind == "MSK" {
        let Some(arn) = reader.required("Stream", "Write the cluster's ARN.", problems) else {
            return;
        };
        Source::Msk(arn.to_owned())
    } else {
        Source::SelfManaged(reader.texts("KafkaBootstrapServers", problems).join(","))
    };
    let group = group(&reader, problems);
    push(
        &reader,
        &event.id,
        event.function,
        group,
        source,
        scope,
        project,
        application,
        problems,
    );
}

/// A mapping in long hand, of an MSK cluster's ARN or without any ARN.
pub(super) fn read_mapping(
    resource: &Resource,
    resources: &[Resource],
    scope: &Scope<'_>,
    project: &Project,
    application: &mut Application,
    problems: &mut Problems,
) {
    const OWN: [&str; 5] = [
        "FunctionName",
        "EventSourceArn",
        "SelfManagedEventSource",
        "SelfManagedKafkaEventSourceConfig",
        "AmazonManagedKafkaEventSourceConfig",
    ];
    let id = &resource.id;
    let Some(properties) = properties(&resource.properties, &OWN, id, scope, problems) else {
        return;
    };
    let reader = Reader::new(&properties, format!("mapping {id}"));
    let before = problems.failures();
    let source = if let Some(arn) = reader.text("EventSourceArn", problems) {
        Source::Msk(arn.to_owned())
    } else {
        let endpoints = reader
            .child("SelfManagedEventSource", problems)
            .and_then(|s| s.child("Endpoints", problems));
        let Some(endpoints) = endpoints else {
            if problems.failures() != before {
                return;
            }
            problems.error(
                resource.line,
                format!("mapping {id} has no source. Write SelfManagedEventSource with Endpoints, or EventSourceArn."),
            );
            return;
        };
        Source::SelfManaged(endpoints.texts("KafkaBootstrapServers", problems).join(","))
    };
    let config = match source {
        Source::Msk(_) => "AmazonManagedKafkaEventSourceConfig",
        Source::SelfManaged(_) => "SelfManagedKafkaEventSourceConfig",
    };
    let group = reader
        .child(config, problems)
        .and_then(|config| group(&config, problems));
    let Some(name) = reader.required(
        "FunctionName",
        "Write `FunctionName: !Ref Function`.",
        problems,
    ) else {
        return;
    };
    let Some(function) = functions::by_name(name, resources, scope) else {
        problems.error(
            reader.line("FunctionName"),
            format!("mapping {id} names the function {name}, which is not in this template. Write `!Ref Function`."),
        );
        return;
    };
    push(
        &reader,
        id,
        &function,
        group,
        source,
        scope,
        project,
        application,
        problems,
    );
}

enum Source {
    SelfManaged(String),
    Msk(String),
}

/// Checks the keys, refuses what must not be ignored, and evaluates the rest.
fn properties(
    node: &Node,
    own: &[&str],
    id: &str,
    scope: &Scope<'_>,
    problems: &mut Problems,
) -> Option<Node> {
    let known: Vec<&str> = COMMON
        .iter()
        .chain(own)
        .chain(&IGNORED)
        .copied()
        .chain(REFUSED.iter().map(|(key, _)| *key))
        .collect();
    let before = problems.failures();
    let reader = Reader::new(node, format!("Kafka source {id}"));
    reader.only(&known, problems);
    for (key, why) in REFUSED {
        if node.get(key).is_some() {
            problems.error(
                reader.line(key),
                format!("Kafka source {id}: {key}: {why}."),
            );
        }
    }
    let wanted: Vec<&str> = COMMON.iter().chain(own).copied().collect();
    let properties = resolved(node, &wanted, scope, problems)?;
    (problems.failures() == before).then_some(properties)
}

#[expect(
    clippy::too_many_arguments,
    reason = "one call site a form; a struct would only rename them"
)]
fn push(
    reader: &Reader<'_>,
    id: &str,
    function: &str,
    group: Option<&str>,
    source: Source,
    scope: &Scope<'_>,
    project: &Project,
    application: &mut Application,
    problems: &mut Problems,
) {
    let before = problems.failures();
    let topics = topics(reader, problems);
    let (bootstrap_servers, security) =
        cluster(reader, id, &source, project, problems).unwrap_or_default();
    let max_retries = reader
        .number("MaximumRetryAttempts", -1..=10_000, problems)
        .and_then(|n| u32::try_from(n).ok());
    let max_age = reader.number("MaximumRecordAgeInSeconds", -1..=604_800, problems);
    if max_age.is_some_and(|age| (0..60).contains(&age)) {
        problems.error(
            reader.line("MaximumRecordAgeInSeconds"),
            format!(
                "{}: MaximumRecordAgeInSeconds is -1 (for ever) or 60 to 604800.",
                reader.what
            ),
        );
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
    let mapping = KafkaMapping {
        id: id.to_owned(),
        function: function.to_owned(),
        bootstrap_servers,
        security,
        kind: match source {
            Source::Msk(arn) => KafkaKind::Msk { arn },
            Source::SelfManaged(_) => KafkaKind::SelfManaged,
        },
        topics,
        group: group.map_or_else(|| derived_group(&scope.stack, id), str::to_owned),
        start: start(reader, problems),
        batch_size: reader
            .number("BatchSize", 1..=10_000, problems)
            .unwrap_or(100) as u32,
        batching_window: Duration::from_secs(
            reader
                .number("MaximumBatchingWindowInSeconds", 0..=300, problems)
                .unwrap_or(0) as u64,
        ),
        partial_responses: !responses.is_empty(),
        bisect: reader
            .flag("BisectBatchOnFunctionError", problems)
            .unwrap_or(false),
        max_retries,
        max_age: max_age
            .and_then(|age| u64::try_from(age).ok())
            .map(Duration::from_secs),
        on_failure: destination(reader, problems),
        filters: filters::read(reader, "value", problems),
        enabled: reader.flag("Enabled", problems).unwrap_or(true),
    };
    if problems.failures() == before {
        application
            .secrets
            .extend(mapping.security.secrets().map(str::to_owned));
        application.kafka.push(mapping);
    }
}

/// The one topic that a mapping reads.
fn topics(reader: &Reader<'_>, problems: &mut Problems) -> Vec<String> {
    let before = problems.failures();
    let topics: Vec<String> = reader
        .texts("Topics", problems)
        .into_iter()
        .map(str::to_owned)
        .collect();
    if problems.failures() == before && topics.len() != 1 {
        problems.wrong_kind(
            reader.line("Topics"),
            "Topics",
            format!(
                "{} has {} topics. A mapping reads exactly one: `Topics: [name]`.",
                reader.what,
                topics.len()
            ),
        );
    }
    if let Some(topic) = topics.iter().find(|topic| !is_topic(topic)) {
        problems.error(
            reader.line("Topics"),
            format!("{}: '{topic}' is not a topic's name. {TOPIC}", reader.what),
        );
    }
    topics
}

/// What a topic's name may be.
const TOPIC: &str = "Use up to 249 letters, digits, -, _ and dots, no dot first.";

fn is_topic(name: &str) -> bool {
    let sound = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    sound && (1..=249).contains(&name.len()) && !name.starts_with('.')
}

/// A consumer group that the service takes: up to 200 letters, digits and some signs.
fn group<'n>(reader: &Reader<'n>, problems: &mut Problems) -> Option<&'n str> {
    let group = reader.text("ConsumerGroupId", problems)?;
    let sound = group
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "-/*:_+=.@".contains(c));
    if !sound || group.is_empty() || group.len() > 200 {
        let message = format!(
            "{}: ConsumerGroupId is '{group}'. Use 1 to 200 letters, digits and signs of -/*:_+=.@ only.",
            reader.what
        );
        problems.wrong_kind(reader.line("ConsumerGroupId"), "ConsumerGroupId", message);
    }
    Some(group)
}

/// The servers to talk to, and how: usher.toml's, else the template's own. Never a remote one by accident.
fn cluster(
    reader: &Reader<'_>,
    id: &str,
    source: &Source,
    project: &Project,
    problems: &mut Problems,
) -> Option<(String, Security)> {
    let line = reader.node.line;
    let (key, written) = match source {
        Source::Msk(arn) => (arn.as_str(), ""),
        Source::SelfManaged(servers) => (id, servers.as_str()),
    };
    let given = project
        .kafka
        .get(id)
        .or_else(|| project.kafka.get(key))
        .or_else(|| project.kafka.get(written));
    let (servers, security) = match (given, source) {
        (Some(cluster), _) => {
            let security = kafka_access::read(&cluster.access);
            let wrong = |wrong| {
                problems.error(
                    line,
                    format!("{}: usher.toml [kafka]: {wrong}.", reader.what),
                );
            };
            (cluster.servers.as_str(), security.map_err(wrong).ok()?)
        }
        (None, Source::Msk(arn)) => {
            problems.error(line, format!("{}: an MSK cluster's brokers are known to AWS only. Name the ones to use in usher.toml: [kafka] \"{arn}\" = \"127.0.0.1:9092\".", reader.what));
            return None;
        }
        (None, Source::SelfManaged(_)) if written.is_empty() => {
            problems.error(
                line,
                format!(
                    "{} names no brokers. Write KafkaBootstrapServers, or in usher.toml: [kafka] \"{id}\" = \"127.0.0.1:9092\".",
                    reader.what
                ),
            );
            return None;
        }
        (None, Source::SelfManaged(_)) => (
            written,
            kafka_access::of_template(reader, id, project, problems)?,
        ),
    };
    match broker_list(servers, &project.allow_remote) {
        Ok(()) => Some((servers.to_owned(), security)),
        Err(wrong) => {
            problems.error(line, format!("{}: {wrong}", reader.what));
            None
        }
    }
}

fn start(reader: &Reader<'_>, problems: &mut Problems) -> StartingPosition {
    match reader.text("StartingPosition", problems) {
        None | Some("TRIM_HORIZON") => StartingPosition::TrimHorizon,
        Some("LATEST") => StartingPosition::Latest,
        Some("AT_TIMESTAMP") => {
            let written = reader.text("StartingPositionTimestamp", problems);
            let seconds = written
                .and_then(|text| text.parse::<f64>().ok())
                .filter(|seconds| *seconds >= 0.0);
            if seconds.is_none() {
                problems.error(
                    reader.line("StartingPosition"),
                    format!(
                        "{}: AT_TIMESTAMP needs StartingPositionTimestamp, in seconds since 1970.",
                        reader.what
                    ),
                );
            }
            StartingPosition::AtTimestamp((seconds.unwrap_or(0.0) * 1000.0) as i64)
        }
        Some(other) => {
            problems.error(
                reader.line("StartingPosition"),
                format!(
                    "{}: StartingPosition is TRIM_HORIZON, LATEST or AT_TIMESTAMP, not {other}.",
                    reader.what
                ),
            );
            StartingPosition::TrimHorizon
        }
    }
}

fn destination(reader: &Reader<'_>, problems: &mut Problems) -> Option<Destination> {
    let on_failure = reader
        .child("DestinationConfig", problems)?
        .child("OnFailure", problems)?;
    on_failure.only(&["Destination", "Type"], problems);
    let remedy = "Write the ARN of a queue (`!GetAtt Failed.Arn`), or kafka://topic. For an event source SAM makes no queue of its own.";
    let target = on_failure.required("Destination", remedy, problems)?;
    let line = on_failure.line("Destination");
    if let Some(topic) = target.strip_prefix("kafka://") {
        if !is_topic(topic) {
            problems.error(
                line,
                format!("{}: '{topic}' is not a topic's name. {TOPIC}", reader.what),
            );
        }
        return Some(Destination::KafkaTopic(topic.to_owned()));
    }
    if is_queue_arn(target) && !is_fifo(name_of(target)) {
        return Some(Destination::Sqs(target.to_owned()));
    }
    let why = match target.split(':').nth(2) {
        Some("sqs") => format!(
            "{target} is no standard queue, and only such a queue takes what a mapping gives up"
        ),
        Some(service @ ("s3" | "sns")) => {
            format!(
                "records cannot be sent to {target} from here: there is no {} on this machine",
                service.to_uppercase()
            )
        }
        _ => format!("records cannot be sent to {target} from here"),
    };
    problems.error(line, format!("{}: {why}. {remedy}", reader.what));
    None
}

/// Stable for a stack and mapping, and no other pair has it.
fn derived_group(stack: &str, id: &str) -> String {
    let hash = Sha256::digest(format!("{stack}\0{id}"));
    format!("usher-{stack}-{id}-{}", hex::encode(&hash[..4]))
}
