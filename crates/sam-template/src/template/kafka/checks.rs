//! Checks of Kafka mappings across settings: combinations that are invalid or misleading.

use std::time::Duration;

use super::super::resources::Resource;
use super::super::schedules::declares;
use crate::document::{Node, Problems, nearest};
use crate::model::{Application, Destination, KafkaMapping};
use crate::project::Project;

/// Longest `Timeout` of a function with a Kafka mapping.
const MAX_TIMEOUT: Duration = Duration::from_mins(14);

/// Retries on Lambda of a mapping with unlimited retries and a destination.
const RETRIES_WITH_DESTINATION: u32 = 10;

/// Reports names under `[kafka]` of usher.toml that no mapping has: the intended mapping would read
/// from the template's cluster. Names with a colon are ARNs or addresses of clusters, and a mapping
/// whose condition is false may be named.
pub(in crate::template) fn check_names(
    root: &Node,
    project: &Project,
    application: &Application,
    problems: &mut Problems,
) {
    const MAPPING: &str = "AWS::Lambda::EventSourceMapping";
    let is_mapping = |id: &str| {
        let resource = || root.get("Resources")?.get(id)?.get("Type")?.text();
        declares(root, id, &["SelfManagedKafka", "MSK"]) || resource() == Some(MAPPING)
    };
    for name in project.kafka.keys().filter(|name| !name.contains(':')) {
        // A mapping with an invalid definition has been reported.
        if problems.has_errors()
            || is_mapping(name)
            || application.kafka.iter().any(|mapping| mapping.id == *name)
        {
            continue;
        }
        let known: Vec<&String> = application
            .kafka
            .iter()
            .map(|mapping| &mapping.id)
            .collect();
        let hint = match nearest(name, known.iter().map(|id| id.as_str())) {
            Some(near) => format!("Did you mean {near}?"),
            None => format!(
                "The mappings of Kafka are: {}.",
                super::super::parameters::listed(known.into_iter())
            ),
        };
        problems.error(
            0,
            format!(
                "usher.toml [kafka] names {name}, which is no Kafka mapping of the template. {hint}"
            ),
        );
    }
}

/// Reports invalid combinations, and applies the limits that Lambda applies silently.
pub(in crate::template) fn check(
    resources: &[Resource],
    application: &mut Application,
    problems: &mut Problems,
) {
    let Application {
        functions, kafka, ..
    } = application;
    for mapping in kafka.iter_mut() {
        let line = line_of(mapping, resources);
        let id = mapping.id.clone();
        if functions
            .get(&mapping.function)
            .is_some_and(|f| f.timeout > MAX_TIMEOUT)
        {
            problems.error(
                line,
                format!(
                    "{id}: the Timeout of {} is over 14 minutes, more than a Kafka mapping \
                     allows. Write `Timeout: 840` or less.",
                    mapping.function
                ),
            );
        }
        if mapping.on_failure.is_some() && mapping.max_retries.is_none() {
            mapping.max_retries = Some(RETRIES_WITH_DESTINATION);
            problems.warn(
                line,
                format!(
                    "{id}: unlimited retries together with a destination become 10, as on Lambda. \
                     Leave the destination out to retry without limit."
                ),
            );
        }
        if matches!(
            &mapping.on_failure,
            Some(Destination::KafkaTopic(topic)) if mapping.topics.contains(topic)
        ) {
            problems.error(
                line,
                format!(
                    "{id}: the destination is the topic it reads, so failed records would be read \
                     again without end. Name another topic."
                ),
            );
        }
    }
    let mappings = &*kafka;
    for (at, mapping) in mappings.iter().enumerate() {
        let twin = mappings[..at]
            .iter()
            .find(|m| m.group == mapping.group && m.topics == mapping.topics);
        if let Some(twin) = twin {
            problems.error(
                line_of(mapping, resources),
                format!(
                    "{} and {} read {} in the same group {}, so each would get a part of the \
                     records. Give each a ConsumerGroupId of its own.",
                    twin.id,
                    mapping.id,
                    mapping.topics.join(", "),
                    mapping.group
                ),
            );
        }
    }
    for mapping in mappings {
        provisioned(mapping, resources, problems);
    }
}

/// Warns of settings that need provisioned pollers on Lambda and always work here.
fn provisioned(mapping: &KafkaMapping, resources: &[Resource], problems: &mut Problems) {
    let uses: Vec<&str> = [
        (mapping.partial_responses, "ReportBatchItemFailures"),
        (mapping.bisect, "BisectBatchOnFunctionError"),
        (
            mapping.max_retries.is_some() && mapping.on_failure.is_none(),
            "MaximumRetryAttempts",
        ),
        (
            matches!(mapping.on_failure, Some(Destination::KafkaTopic(_))),
            "a topic as destination",
        ),
        (mapping.max_age.is_some(), "MaximumRecordAgeInSeconds"),
    ]
    .into_iter()
    .filter_map(|(used, name)| used.then_some(name))
    .collect();
    let node = source(mapping, resources);
    if !uses.is_empty() && node.is_some_and(|node| node.get("ProvisionedPollerConfig").is_none()) {
        problems.warn(
            line_of(mapping, resources),
            format!(
                "{}: on Lambda {} works in provisioned mode only. Add ProvisionedPollerConfig \
                 before you deploy.",
                mapping.id,
                uses.join(", ")
            ),
        );
    }
}

/// The properties of a mapping in the template.
fn source<'r>(
    mapping: &KafkaMapping,
    resources: &'r [Resource],
) -> Option<&'r crate::document::Node> {
    let find = |id: &str| resources.iter().find(|r| r.id == id);
    match mapping.id.split_once('.') {
        Some((function, event)) => find(function)?
            .properties
            .get("Events")?
            .get(event)?
            .get("Properties"),
        None => find(&mapping.id).map(|r| &r.properties),
    }
}

pub(in crate::template) fn line_of(mapping: &KafkaMapping, resources: &[Resource]) -> usize {
    let own = resources
        .iter()
        .find(|r| r.id == mapping.id)
        .map(|r| r.line);
    own.or_else(|| source(mapping, resources).map(|node| node.line))
        .unwrap_or(0)
}
