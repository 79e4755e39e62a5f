//! Invokes the function with a batch, and classifies the result.

use std::sync::Arc;
use std::time::Duration;

use event_sources::queue::{MessageKey, QueueBatchResult, failed_messages};
use event_sources::{InvocationId, ResponseError};
use tokio::sync::Notify;

use super::{SqsDriver, TaskResult};
use crate::invocation::{Invoker, Outcome, Rejected, Request, Response, Trigger};
use crate::sources::mapping::batch_result;
use crate::sources::sqs::encode;

/// Pause before the next attempt while the host can start no process.
const RETRY_NO_CAPACITY: Duration = Duration::from_millis(500);

impl SqsDriver {
    pub(super) fn invoke(&mut self, id: InvocationId, batch: Vec<MessageKey>) {
        let taken = batch
            .iter()
            .filter_map(|key| Some(std::mem::take(&mut self.held.get_mut(key)?.record)));
        let records: Vec<Vec<u8>> = taken.collect();
        let begun = Arc::new(Notify::new());
        let request = Request {
            trigger: Trigger::Mapping("sqs", self.source.mapping.id.as_str().into()),
            records: records.len(),
            begun: Some(begun.clone()),
            ..Request::new(
                self.source.mapping.function.clone(),
                encode::event(&records),
            )
        };
        self.batches.insert(id, batch);
        self.progress.count(|status| status.batches += 1);
        let invoker = self.source.invoker.clone();
        let begins = self.begins.clone();
        self.tasks.spawn(async move {
            let mut invocation = std::pin::pin!(invoke(&invoker, request));
            tokio::select! {
                biased;
                ended = &mut invocation => return TaskResult::Invocation(id, ended),
                // the driver outlives its tasks
                () = begun.notified() => drop(begins.send(id)),
            }
            TaskResult::Invocation(id, invocation.await)
        });
    }

    /// Translates the end of an invocation into the result of its batch, and logs it.
    pub(super) fn classify(
        &mut self,
        id: InvocationId,
        result: &Result<Response, Rejected>,
    ) -> QueueBatchResult {
        let batch = self.batches.remove(&id).unwrap_or_default();
        let mapping = &self.source.mapping;
        let messages = batch.len();
        let (finish, malformed) = batch_result(result, mapping.partial_responses, |answer| {
            self.failed(&batch, answer)
        });
        let mapping = &mapping.id;
        match result {
            Ok(Response {
                outcome,
                request_id,
            }) => {
                if let Some(why) = malformed {
                    tracing::error!(%mapping, request_id, messages, "{why}; the whole batch \
                         counts as failed");
                }
                if let Outcome::Error(error) = outcome {
                    tracing::warn!(
                        %mapping,
                        request_id,
                        messages,
                        error_type = error.error_type,
                        "batch failed: {}",
                        error.message
                    );
                }
            }
            Err(rejected @ (Rejected::Throttled(_) | Rejected::NoCapacity { .. })) => {
                tracing::warn!(%mapping, messages, "{rejected}; the batch is released");
            }
            Err(rejected @ (Rejected::NotFound(_) | Rejected::TooLarge(_))) => {
                tracing::error!(%mapping, messages, "batch failed: {rejected}");
            }
            Err(Rejected::ShuttingDown) => {}
        }
        finish
    }

    /// The messages of the batch that the answer names as failed.
    fn failed(
        &self,
        batch: &[MessageKey],
        answer: &[u8],
    ) -> Result<Vec<MessageKey>, ResponseError> {
        let ids: Vec<(&str, MessageKey)> = batch
            .iter()
            .filter_map(|key| Some((self.held.get(key)?.id.as_str(), *key)))
            .collect();
        let failed = failed_messages(answer, |id| ids.iter().any(|(message, _)| *message == id))?;
        Ok(ids
            .into_iter()
            .filter(|(id, _)| failed.iter().any(|failed| failed == id))
            .map(|(_, key)| key)
            .collect())
    }
}

/// Invokes the function. While the host has no process for it, the batch waits here: a released
/// batch counts as received, and a queue with few allowed receives would move it to its dead-letter
/// queue.
async fn invoke(invoker: &Invoker, request: Request) -> Result<Response, Rejected> {
    loop {
        let ended = invoker.invoke(request.clone(), true).await;
        if !matches!(ended, Err(Rejected::NoCapacity { .. })) {
            return ended;
        }
        tokio::time::sleep(RETRY_NO_CAPACITY).await;
    }
}
