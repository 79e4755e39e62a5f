//! What event source mappings of Kafka and SQS have in common.

use std::time::Duration;

use event_sources::filter::Filters;

use super::filters;
use super::functions;
use super::resources::resolved;
use super::scope::Scope;
use crate::document::{Node, Reader};

/// Properties of both services, which [`Common`] holds.
pub(super) const COMMON: &str =
    "BatchSize MaximumBatchingWindowInSeconds Enabled FunctionResponseTypes FilterCriteria";

/// Properties without effect here.
pub(super) const IGNORED: &str = "KmsKeyArn MetricsConfig LoggingConfig Tags FilterEncryption";

/// Settings of every mapping.
pub(super) struct Common {
    pub(super) batch_size: u32,
    pub(super) batching_window: Duration,
    pub(super) partial_responses: bool,
    pub(super) filters: Option<Filters>,
    pub(super) enabled: bool,
}

/// Checks the keys and evaluates the properties in [`COMMON`] and `read`. `ignored`: further keys
/// without effect here.
pub(super) fn properties(
    node: &Node,
    what: &str,
    read: &str,
    ignored: &str,
    scope: &Scope<'_>,
) -> Option<Node> {
    let before = scope.problems.failures();
    let read = format!("{COMMON} {read}");
    let reader = Reader::new(node, what, scope.problems);
    reader.only(&format!("{read} {IGNORED} {ignored}"));
    let properties = resolved(node, &read, scope)?;
    (scope.problems.failures() == before).then_some(properties)
}

/// The function of an `AWS::Lambda::EventSourceMapping`.
pub(super) fn function(reader: &Reader<'_>, scope: &Scope<'_>) -> Option<String> {
    let name = reader.required("FunctionName", "Write `FunctionName: !Ref Function`.")?;
    let function = functions::by_name(name, scope);
    if function.is_none() {
        let message = format!(
            "{} names the function {name}, which is not in this template. Write `!Ref Function`.",
            reader.what
        );
        scope.problems.error(reader.line("FunctionName"), message);
    }
    function
}

impl Common {
    /// Reads the settings. `field`: what filters apply to.
    pub(super) fn read(reader: &Reader<'_>, field: &str, default_batch_size: i64) -> Self {
        let responses = reader.texts("FunctionResponseTypes");
        if let Some(other) = responses.iter().find(|r| **r != "ReportBatchItemFailures") {
            let message = format!(
                "the only FunctionResponseTypes value is ReportBatchItemFailures, not {other}."
            );
            reader.error("FunctionResponseTypes", &message);
        }
        let size = reader.number("BatchSize", 1..=10_000);
        let window = reader.number("MaximumBatchingWindowInSeconds", 0..=300);
        Self {
            batch_size: size.unwrap_or(default_batch_size) as u32,
            batching_window: Duration::from_secs(window.unwrap_or(0) as u64),
            partial_responses: !responses.is_empty(),
            filters: filters::read(reader, field),
            enabled: reader.flag("Enabled").unwrap_or(true),
        }
    }
}
