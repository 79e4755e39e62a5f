//! What the event source mappings of Kafka and SQS have in common: how the end of an invocation
//! becomes the result of its batch, and how filters are printed.

use std::fmt::Write as _;

use event_sources::BatchResult;
use event_sources::filter::Filters;

use crate::invocation::{Outcome, Rejected, Response};

/// Adds the filters of a mapping, a line each, as `usher template` prints them.
pub(crate) fn describe_filters(out: &mut String, filters: Option<&Filters>) {
    for pattern in filters.map(Filters::sources).unwrap_or_default() {
        let _ = writeln!(out, "  filter {pattern}");
    }
}

/// The result of the batch, and why its partial batch response is malformed, if it is.
///
/// `partial`: the mapping has `ReportBatchItemFailures`, and `failed` reads an answer.
pub(crate) fn batch_result<T>(
    result: &Result<Response, Rejected>,
    partial: bool,
    failed: impl FnOnce(&[u8]) -> Result<Vec<T>, String>,
) -> (BatchResult<T>, Option<String>) {
    let outcome = match result {
        Ok(response) => &response.outcome,
        Err(Rejected::NotFound(_) | Rejected::TooLarge(_)) => return (BatchResult::Failed, None),
        Err(Rejected::Throttled(_) | Rejected::NoCapacity { .. } | Rejected::ShuttingDown) => {
            return (BatchResult::NotInvoked, None);
        }
    };
    match outcome {
        Outcome::Answer(answer) if partial => match failed(answer) {
            Ok(failed) => (BatchResult::Answered(failed), None),
            Err(why) => (BatchResult::Failed, Some(why)),
        },
        Outcome::Answer(_) => (BatchResult::Answered(Vec::new()), None),
        Outcome::Interrupted(_) => (BatchResult::NotInvoked, None),
        Outcome::Error(_) => (BatchResult::Failed, None),
    }
}
