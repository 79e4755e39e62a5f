//! Invokes the function with a batch, and classifies the result.

use std::sync::Arc;
use std::time::Duration;

use event_sources::InvocationId;
use event_sources::queue::{MessageKey, QueueBatchResult, failed_messages};
use tokio::sync::Notify;

use super::{SqsDriver, TaskResult};
use crate::invocation::{Invoker, Outcome, Rejected, Request, Response};
use crate::sqs::encode;
use crate::sqs::status::SqsProgress;

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
            records: records.len(),
            begun: Some(begun.clone()),
            ..Request::new(self.mapping.function.clone(), encode::event(&records))
        };
        self.batches.insert(id, batch);
        SqsProgress::add(&self.progress.batches, 1);
        let invoker = self.invoker.clone();
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

    /// Translates the end of an invocation into the result of its batch.
    pub(super) fn classify(
        &mut self,
        id: InvocationId,
        result: Result<Response, Rejected>,
    ) -> QueueBatchResult {
        let batch = self.batches.remove(&id).unwrap_or_default();
        let mapping = &self.mapping.id;
        let messages = batch.len();
        match result {
            Ok(Response {
                outcome: Outcome::Answer(_),
                ..
            }) if !self.mapping.partial_responses => QueueBatchResult::Answered(Vec::new()),
            Ok(Response {
                outcome: Outcome::Answer(answer),
                request_id,
            }) => match self.failed(&batch, &answer) {
                Ok(failed) => QueueBatchResult::Answered(failed),
                Err(why) => {
                    tracing::error!(%mapping, request_id, messages, "{why}; the whole batch \
                         counts as failed");
                    QueueBatchResult::Failed
                }
            },
            Ok(Response {
                outcome: Outcome::Interrupted(_),
                ..
            })
            | Err(Rejected::ShuttingDown) => QueueBatchResult::NotInvoked,
            Ok(Response {
                outcome: Outcome::Error(error),
                request_id,
            }) => {
                tracing::warn!(
                    %mapping,
                    request_id,
                    messages,
                    error_type = error.error_type,
                    "batch failed: {}",
                    error.message
                );
                QueueBatchResult::Failed
            }
            Err(rejected @ (Rejected::Throttled(_) | Rejected::NoCapacity { .. })) => {
                tracing::warn!(%mapping, messages, "{rejected}; the batch is released");
                QueueBatchResult::NotInvoked
            }
            Err(rejected @ (Rejected::NotFound(_) | Rejected::TooLarge(_))) => {
                tracing::error!(%mapping, messages, "batch failed: {rejected}");
                QueueBatchResult::Failed
            }
        }
    }

    /// The messages of the batch that the answer names as failed.
    fn failed(&self, batch: &[MessageKey], answer: &[u8]) -> Result<Vec<MessageKey>, String> {
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
