//! Kafka event source mappings: events of type `SelfManagedKafka` and `MSK`, and
//! `AWS::Lambda::EventSourceMapping`.

mod access;
pub(super) mod checks;
mod connection;
mod destination;
mod topics;

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::function_event::FunctionEvent;
use super::resources::{Resource, resolved};
use super::scope::Scope;
use super::{filters, functions};
use crate::document::{Node, Problems, Reader};
use crate::model::{Application, KafkaKind, KafkaMapping, StartingPosition};
use crate::project::Project;
use connection::KafkaSource;

/// Properties of every form.
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
/// Properties that would change what the function receives, so they are not ignored.
pub(super) const REFUSED: [(&str, &str); 2] = [
    (
        "ConsumptionMode",
        "it is a pre-release setting. Leave it out",
    ),
    (
        "SchemaRegistryConfig",
        "this host calls no schema registry. Decode in the function",
    ),
];
/// Properties without effect here.
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
    event: &FunctionEvent<'_>,
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
        KafkaSource::Msk(arn.to_owned())
    } else {
        KafkaSource::SelfManaged(reader.texts("KafkaBootstrapServers", problems).join(","))
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

/// An `AWS::Lambda::EventSourceMapping` with the ARN of an MSK cluster, or without an ARN.
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
        KafkaSource::Msk(arn.to_owned())
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
                format!(
                    "mapping {id} has no source. Write SelfManagedEventSource with Endpoints, or \
                     EventSourceArn."
                ),
            );
            return;
        };
        KafkaSource::SelfManaged(endpoints.texts("KafkaBootstrapServers", problems).join(","))
    };
    let config = match source {
        KafkaSource::Msk(_) => "AmazonManagedKafkaEventSourceConfig",
        KafkaSource::SelfManaged(_) => "SelfManagedKafkaEventSourceConfig",
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
            format!(
                "mapping {id} names the function {name}, which is not in this template. Write \
                 `!Ref Function`."
            ),
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

/// Checks the keys, reports those in [`REFUSED`], and evaluates the rest.
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
    reason = "two call sites; a struct would only rename the arguments"
)]
fn push(
    reader: &Reader<'_>,
    id: &str,
    function: &str,
    group: Option<&str>,
    source: KafkaSource,
    scope: &Scope<'_>,
    project: &Project,
    application: &mut Application,
    problems: &mut Problems,
) {
    let before = problems.failures();
    let topics = topics::read(reader, problems);
    let (bootstrap_servers, security) =
        connection::read(reader, id, &source, project, problems).unwrap_or_default();
    let max_retries = reader
        .number("MaximumRetryAttempts", -1..=10_000, problems)
        .and_then(|n| u32::try_from(n).ok());
    let max_age = reader.number("MaximumRecordAgeInSeconds", -1..=604_800, problems);
    if max_age.is_some_and(|age| (0..60).contains(&age)) {
        problems.error(
            reader.line("MaximumRecordAgeInSeconds"),
            format!(
                "{}: MaximumRecordAgeInSeconds is -1 (unlimited) or 60 to 604800.",
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
            KafkaSource::Msk(arn) => KafkaKind::Msk { arn },
            KafkaSource::SelfManaged(_) => KafkaKind::SelfManaged,
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
        on_failure: destination::read(reader, problems),
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

/// `ConsumerGroupId`, as the service accepts it.
fn group<'n>(reader: &Reader<'n>, problems: &mut Problems) -> Option<&'n str> {
    let group = reader.text("ConsumerGroupId", problems)?;
    let sound = group
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "-/*:_+=.@".contains(c));
    if !sound || group.is_empty() || group.len() > 200 {
        let message = format!(
            "{}: ConsumerGroupId is '{group}'. Use 1 to 200 letters, digits and signs of \
             -/*:_+=.@ only.",
            reader.what
        );
        problems.wrong_kind(reader.line("ConsumerGroupId"), "ConsumerGroupId", message);
    }
    Some(group)
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

/// The default consumer group: stable, and unique for a stack and mapping.
fn derived_group(stack: &str, id: &str) -> String {
    let hash = Sha256::digest(format!("{stack}\0{id}"));
    format!("usher-{stack}-{id}-{}", hex::encode(&hash[..4]))
}
