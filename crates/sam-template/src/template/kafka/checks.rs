//! Checks of Kafka mappings across settings: combinations that are invalid or misleading.

use std::time::Duration;

use super::super::parameters::did_you_mean_or;
use super::super::resource::MAPPING;
use super::super::scope::Scope;
use crate::model::{Application, Destination, KafkaMapping};

/// Longest `Timeout` of a function with a Kafka mapping.
const MAX_TIMEOUT: Duration = Duration::from_mins(14);

/// Retries on Lambda of a mapping with unlimited retries and a destination.
const RETRIES_WITH_DESTINATION: u32 = 10;

/// Reports names under `[kafka]` of usher.toml that no mapping has: the intended mapping would read
/// from the template's cluster. Names with a colon are ARNs or addresses of clusters, and a mapping
/// whose condition is false may be named.
pub(in crate::template) fn check_names(scope: &Scope<'_>, application: &Application) {
    let known = || application.kafka.iter().map(|mapping| mapping.id.as_str());
    let is_mapping = |id: &str| {
        let resource = || scope.root.get("Resources")?.get(id)?.get("Type")?.text();
        scope.declares(id, &["SelfManagedKafka", "MSK"])
            || resource() == Some(MAPPING)
            || known().any(|known| known == id)
    };
    let names = scope
        .project
        .kafka
        .keys()
        .filter(|name| !name.contains(':'));
    for name in names.filter(|name| !is_mapping(name)) {
        // A mapping with an invalid definition has been reported.
        if scope.problems.has_errors() {
            continue;
        }
        let hint = did_you_mean_or("The mappings of Kafka are", name, known());
        let message = format!(
            "usher.toml [kafka] names {name}, which is no Kafka mapping of the template. {hint}"
        );
        scope.problems.error(0, message);
    }
}

/// Reports invalid combinations, and applies the limits that Lambda applies silently.
pub(in crate::template) fn check(scope: &Scope<'_>, application: &mut Application) {
    for mapping in &mut application.kafka {
        let line = scope.mapping_line(&mapping.id, "");
        let id = mapping.id.clone();
        let function = application.functions.get(&mapping.function);
        if function.is_some_and(|function| function.timeout > MAX_TIMEOUT) {
            let message = format!(
                "{id}: the Timeout of {} is over 14 minutes, more than a Kafka mapping allows. \
                 Write `Timeout: 840` or less.",
                mapping.function
            );
            scope.problems.error(line, message);
        }
        if mapping.on_failure.is_some() && mapping.max_retries.is_none() {
            mapping.max_retries = Some(RETRIES_WITH_DESTINATION);
            let message = format!(
                "{id}: unlimited retries together with a destination become 10, as on Lambda. \
                 Leave the destination out to retry without limit."
            );
            scope.problems.warn(line, message);
        }
        if matches!(
            &mapping.on_failure,
            Some(Destination::KafkaTopic(topic)) if mapping.topics.contains(topic)
        ) {
            let message = format!(
                "{id}: the destination is the topic it reads, so failed records would be read \
                 again without end. Name another topic."
            );
            scope.problems.error(line, message);
        }
    }
    let mappings = &application.kafka;
    for (at, mapping) in mappings.iter().enumerate() {
        let same = |m: &&KafkaMapping| m.group == mapping.group && m.topics == mapping.topics;
        if let Some(twin) = mappings[..at].iter().find(same) {
            let message = format!(
                "{} and {} read {} in the same group {}, so each would get a part of the records. \
                 Give each a ConsumerGroupId of its own.",
                twin.id,
                mapping.id,
                mapping.topics.join(", "),
                mapping.group
            );
            scope
                .problems
                .error(scope.mapping_line(&mapping.id, ""), message);
        }
        provisioned(mapping, scope);
    }
}

/// Warns of settings that need provisioned pollers on Lambda and always work here.
fn provisioned(mapping: &KafkaMapping, scope: &Scope<'_>) {
    let retries = mapping.max_retries.is_some() && mapping.on_failure.is_none();
    let to_topic = matches!(mapping.on_failure, Some(Destination::KafkaTopic(_)));
    let uses: Vec<&str> = [
        (mapping.partial_responses, "ReportBatchItemFailures"),
        (mapping.bisect, "BisectBatchOnFunctionError"),
        (retries, "MaximumRetryAttempts"),
        (to_topic, "a topic as destination"),
        (mapping.max_age.is_some(), "MaximumRecordAgeInSeconds"),
    ]
    .into_iter()
    .filter_map(|(used, name)| used.then_some(name))
    .collect();
    if let Some((properties, line)) = scope.mapping(&mapping.id)
        && !uses.is_empty()
        && properties.get("ProvisionedPollerConfig").is_none()
    {
        let message = format!(
            "{}: on Lambda {} works in provisioned mode only. Add ProvisionedPollerConfig before \
             you deploy.",
            mapping.id,
            uses.join(", ")
        );
        scope.problems.warn(line, message);
    }
}
