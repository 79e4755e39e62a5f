//! Translates the end of an invocation into the result of its batch.

use event_sources::stream::{Partition, StreamBatchResult, failed_records};

use crate::invocation::{Outcome, Rejected, Response};

/// The result of the batch, and why its partial batch response is malformed, if it is.
///
/// `partial`: the mapping has `ReportBatchItemFailures`. `partition` finds a partition of the batch
/// by its name in the event.
pub fn batch_result(
    result: &Result<Response, Rejected>,
    partial: bool,
    partition: impl Fn(&str) -> Option<Partition>,
) -> (StreamBatchResult, Option<String>) {
    let outcome = match result {
        Ok(response) => &response.outcome,
        Err(Rejected::NotFound(_) | Rejected::TooLarge(_)) => {
            return (StreamBatchResult::Failed, None);
        }
        Err(Rejected::Throttled(_) | Rejected::NoCapacity { .. } | Rejected::ShuttingDown) => {
            return (StreamBatchResult::NotInvoked, None);
        }
    };
    match outcome {
        Outcome::Answer(answer) if partial => match failed_records(answer, partition) {
            Ok(failed) => (StreamBatchResult::Answered(failed), None),
            Err(why) => (StreamBatchResult::Failed, Some(why)),
        },
        Outcome::Answer(_) => (StreamBatchResult::Answered(Vec::new()), None),
        Outcome::Interrupted(_) => (StreamBatchResult::NotInvoked, None),
        Outcome::Error(_) => (StreamBatchResult::Failed, None),
    }
}
