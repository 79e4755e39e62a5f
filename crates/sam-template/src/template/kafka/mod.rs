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
use super::mapping::{self, Common};
use super::resources::Resource;
use super::scope::Scope;
use crate::document::{Node, Reader, is_name};
use crate::model::{Application, KafkaKind, KafkaMapping, StartingPosition};

/// Properties of every form that [`mapping`] does not read.
pub(super) const READ: &str = "Topics StartingPosition StartingPositionTimestamp \
    BisectBatchOnFunctionError MaximumRetryAttempts MaximumRecordAgeInSeconds DestinationConfig \
    SourceAccessConfigurations ProvisionedPollerConfig";
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
pub(super) const IGNORED: &str = "SecretsManagerKmsKeyId";

/// A `SelfManagedKafka` or `MSK` event of a function.
pub(super) fn read_event(
    event: &FunctionEvent<'_>,
    scope: &Scope<'_>,
    application: &mut Application,
) {
    let (is_msk, own) = match event.kind {
        "MSK" => (true, "Stream ConsumerGroupId"),
        _ => (false, "KafkaBootstrapServers ConsumerGroupId"),
    };
    let Some(properties) = properties(event.properties, own, &event.id, scope) else {
        return;
    };
    let what = format!("event {}", event.id);
    let reader = Reader::new(&properties, what, scope.problems);
    let mut source = Source::default();
    if is_msk {
        let Some(arn) = reader.required("Stream", "Write the cluster's ARN.") else {
            return;
        };
        source.kind = KafkaKind::Msk {
            arn: arn.to_owned(),
        };
    } else {
        source.servers = reader.texts("KafkaBootstrapServers").join(",");
    }
    source.group = group(&reader);
    push(
        &reader,
        &event.id,
        event.function,
        source,
        scope,
        application,
    );
}

/// An `AWS::Lambda::EventSourceMapping` with the ARN of an MSK cluster, or without an ARN.
pub(super) fn read_mapping(resource: &Resource, scope: &Scope<'_>, application: &mut Application) {
    const OWN: &str = "FunctionName EventSourceArn SelfManagedEventSource \
        SelfManagedKafkaEventSourceConfig AmazonManagedKafkaEventSourceConfig";
    let id = &resource.id;
    let Some(properties) = properties(&resource.properties, OWN, id, scope) else {
        return;
    };
    let reader = Reader::new(&properties, resource.what(), scope.problems);
    let before = scope.problems.failures();
    let mut source = Source::default();
    let config = if let Some(arn) = reader.text("EventSourceArn") {
        source.kind = KafkaKind::Msk {
            arn: arn.to_owned(),
        };
        reader.child("AmazonManagedKafkaEventSourceConfig")
    } else {
        let endpoints = reader.child("SelfManagedEventSource");
        let Some(endpoints) = endpoints.and_then(|source| source.child("Endpoints")) else {
            if scope.problems.failures() == before {
                let message = format!(
                    "mapping {id} has no source. Write SelfManagedEventSource with Endpoints, or \
                     EventSourceArn."
                );
                scope.problems.error(resource.line, message);
            }
            return;
        };
        source.servers = endpoints.texts("KafkaBootstrapServers").join(",");
        reader.child("SelfManagedKafkaEventSourceConfig")
    };
    source.group = config.and_then(|config| group(&config));
    if let Some(function) = mapping::function(&reader, scope) {
        push(&reader, id, &function, source, scope, application);
    }
}

/// What the forms of a mapping write differently.
struct Source {
    kind: KafkaKind,
    /// `KafkaBootstrapServers`, joined by commas.
    servers: String,
    /// `ConsumerGroupId`.
    group: Option<String>,
}

impl Default for Source {
    fn default() -> Self {
        Self {
            kind: KafkaKind::SelfManaged,
            servers: String::new(),
            group: None,
        }
    }
}

/// Checks the keys, reports those in [`REFUSED`], and evaluates the rest.
fn properties(node: &Node, own: &str, id: &str, scope: &Scope<'_>) -> Option<Node> {
    let before = scope.problems.failures();
    let what = format!("Kafka source {id}");
    let mut ignored = IGNORED.to_owned();
    for (key, why) in REFUSED {
        ignored.extend([" ", key]);
        if let Some(line) = node.get(key).and(node.line_of(key)) {
            scope.problems.error(line, format!("{what}: {key}: {why}."));
        }
    }
    let read = format!("{READ} {own}");
    let properties = mapping::properties(node, &what, &read, &ignored, scope)?;
    (scope.problems.failures() == before).then_some(properties)
}

fn push(
    reader: &Reader<'_>,
    id: &str,
    function: &str,
    source: Source,
    scope: &Scope<'_>,
    application: &mut Application,
) {
    let before = scope.problems.failures();
    let Source {
        kind,
        servers,
        group,
    } = source;
    let topics = topics::read(reader);
    let (bootstrap_servers, security) =
        connection::read(reader, id, &kind, &servers, scope.project).unwrap_or_default();
    let max_retries = reader.number("MaximumRetryAttempts", -1..=10_000);
    let max_age = reader.number("MaximumRecordAgeInSeconds", -1..=604_800);
    if max_age.is_some_and(|age| (0..60).contains(&age)) {
        let message = "MaximumRecordAgeInSeconds is -1 (unlimited) or 60 to 604800.";
        reader.error("MaximumRecordAgeInSeconds", message);
    }
    let max_age = max_age.and_then(|age| u64::try_from(age).ok());
    let bisect = reader.flag("BisectBatchOnFunctionError");
    let Common {
        batch_size,
        batching_window,
        partial_responses,
        filters,
        enabled,
    } = Common::read(reader, "value", 100);
    let mapping = KafkaMapping {
        id: id.to_owned(),
        function: function.to_owned(),
        bootstrap_servers,
        security,
        kind,
        topics,
        group: group.unwrap_or_else(|| derived_group(&scope.stack, id)),
        start: start(reader),
        batch_size,
        batching_window,
        partial_responses,
        bisect: bisect.unwrap_or(false),
        max_retries: max_retries.and_then(|n| u32::try_from(n).ok()),
        max_age: max_age.map(Duration::from_secs),
        on_failure: destination::read(reader),
        filters,
        enabled,
    };
    if scope.problems.failures() == before {
        let secrets = mapping.security.secrets().map(str::to_owned);
        application.secrets.extend(secrets);
        application.kafka.push(mapping);
    }
}

/// `ConsumerGroupId`, as the service accepts it.
fn group(reader: &Reader<'_>) -> Option<String> {
    let group = reader.string("ConsumerGroupId")?;
    if !is_name(&group, "-/*:_+=.@", 200) {
        let message = format!(
            "ConsumerGroupId is '{group}'. Use 1 to 200 letters, digits and signs of -/*:_+=.@ \
             only."
        );
        reader.invalid("ConsumerGroupId", &message);
    }
    Some(group)
}

fn start(reader: &Reader<'_>) -> StartingPosition {
    match reader.choice(
        "StartingPosition",
        &["TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"],
    ) {
        Some("LATEST") => StartingPosition::Latest,
        Some("AT_TIMESTAMP") => {
            let written = reader.text("StartingPositionTimestamp");
            let seconds = written.and_then(|text| text.parse::<f64>().ok());
            let seconds = seconds.filter(|seconds| *seconds >= 0.0);
            if seconds.is_none() {
                let message =
                    "AT_TIMESTAMP needs StartingPositionTimestamp, in seconds since 1970.";
                reader.error("StartingPosition", message);
            }
            StartingPosition::AtTimestamp((seconds.unwrap_or(0.0) * 1000.0) as i64)
        }
        _ => StartingPosition::TrimHorizon,
    }
}

/// The default consumer group: stable, and unique for a stack and mapping.
fn derived_group(stack: &str, id: &str) -> String {
    let hash = Sha256::digest(format!("{stack}\0{id}"));
    format!("usher-{stack}-{id}-{}", hex::encode(&hash[..4]))
}
