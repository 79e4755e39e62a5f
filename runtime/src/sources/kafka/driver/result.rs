//! Classifies the result of an invocation: logs and counts it, and notes failed attempts.

use event_sources::InvocationId;
use event_sources::stream::{Partition, Slice, StreamBatchResult};

use super::KafkaDriver;
use crate::invocation::{Outcome, Rejected, Response};
use crate::sources::kafka::batch_result;
use crate::sources::kafka::consumer::partition;

impl KafkaDriver {
    pub(super) fn classify(
        &mut self,
        id: InvocationId,
        result: &Result<Response, Rejected>,
    ) -> StreamBatchResult {
        let slices = self.batches.remove(&id).unwrap_or_default();
        let records: usize = slices.iter().map(|slice| slice.records).sum();
        let (finish, malformed) =
            batch_result(result, self.source.mapping.partial_responses, |name| {
                self.partition_named(name)
            });
        let mapping = &self.source.mapping.id;
        let mut function_error = false;
        match result {
            Ok(Response {
                outcome,
                request_id,
            }) => {
                if let Some(why) = malformed {
                    tracing::error!(mapping, request_id, records, "{why}; the batch is retried");
                }
                match outcome {
                    Outcome::Answer(_) => {}
                    Outcome::Error(error) => {
                        function_error = true;
                        tracing::warn!(
                            mapping,
                            request_id,
                            records,
                            error_type = error.error_type,
                            "batch failed: {}",
                            error.message
                        );
                    }
                    Outcome::Interrupted(error) => tracing::warn!(
                        mapping,
                        request_id,
                        records,
                        "{}; the batch is retried",
                        error.message
                    ),
                }
            }
            Err(rejected @ (Rejected::NotFound(_) | Rejected::TooLarge(_))) => {
                tracing::error!(mapping, records, "batch failed: {rejected}");
            }
            Err(Rejected::Throttled(_) | Rejected::NoCapacity { .. } | Rejected::ShuttingDown) => {}
        }
        let failed = |slice: &Slice| match &finish {
            StreamBatchResult::Answered(failures) => failures
                .iter()
                .any(|failure| failure.partition == slice.partition),
            StreamBatchResult::Failed => true,
            StreamBatchResult::NotInvoked => false,
        };
        let failed: Vec<&Slice> = slices.iter().filter(|slice| failed(slice)).collect();
        if let Ok(response) = result {
            for slice in &failed {
                self.history
                    .failed(slice, &response.request_id, function_error);
            }
        }
        self.progress.batch_finished(&slices, &finish, result);
        if !failed.is_empty() {
            self.progress.count(|status| status.failed_batches += 1);
        }
        finish
    }

    /// The partition with a name such as "topic-0".
    fn partition_named(&self, name: &str) -> Option<Partition> {
        let (topic, number) = name.rsplit_once('-')?;
        partition(&self.source.mapping.topics, topic, number.parse().ok()?)
    }
}
