//! The result of a batch of Kafka records.

use event_sources::ResponseError;
use event_sources::stream::{Partition, StreamBatchResult, failed_records};

use crate::invocation::{Rejected, Response};
use crate::sources::mapping;

/// The result of the batch, and why its partial batch response is malformed, if it is.
///
/// `partial`: the mapping has `ReportBatchItemFailures`. `partition` finds a partition of the batch
/// by its name in the event.
pub fn batch_result(
    result: &Result<Response, Rejected>,
    partial: bool,
    partition: impl Fn(&str) -> Option<Partition>,
) -> (StreamBatchResult, Option<ResponseError>) {
    mapping::batch_result(result, partial, |answer| failed_records(answer, partition))
}
