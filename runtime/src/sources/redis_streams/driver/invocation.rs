//! Invokes the function with a batch, and classifies the result.

use std::collections::HashMap;

use event_sources::InvocationId;
use event_sources::queue::failed_messages;
use event_sources::redis_stream::{EntryKey, RedisStreamBatchResult};

use super::{HeldContent, RedisStreamDriver, TaskResult, id};
use crate::invocation::{Outcome, Rejected, Request, Response, Trigger};
use crate::sources::mapping::batch_result;
use crate::sources::redis_streams::encode;

impl RedisStreamDriver {
    pub(super) fn invoke(&mut self, invocation: InvocationId, entries: &[(EntryKey, u32)]) {
        let records =
            entries
                .iter()
                .filter_map(|(key, attempt)| match &self.held.get(key)?.content {
                    HeldContent::Record(record) => Some((record, *attempt)),
                    _ => None,
                });
        let request = Request {
            trigger: Trigger::Mapping("stream", self.source.mapping.id.as_str().into()),
            records: entries.len(),
            ..Request::new(self.source.mapping.function.clone(), encode::event(records))
        };
        let keys = entries.iter().map(|(key, _)| *key).collect();
        self.batches.insert(invocation, keys);
        self.progress.count(|status| status.batches += 1);
        let invoker = self.source.invoker.clone();
        self.tasks.spawn(async move {
            TaskResult::Invocation(invocation, invoker.invoke(request, true).await)
        });
    }

    /// Translates the end of an invocation into the result of its batch, and logs it.
    pub(super) fn classify(
        &self,
        batch: &[EntryKey],
        result: &Result<Response, Rejected>,
    ) -> RedisStreamBatchResult {
        let mapping = &self.source.mapping;
        let entries = batch.len();
        let (finish, malformed) = batch_result(result, mapping.partial_responses, |answer| {
            let known: HashMap<String, EntryKey> = batch
                .iter()
                .map(|key| (id(*key).to_string(), *key))
                .collect();
            let failed = failed_messages(answer, |id| known.contains_key(id))?;
            Ok(failed
                .iter()
                .filter_map(|id| known.get(id).copied())
                .collect())
        });
        let mapping = &mapping.id;
        match result {
            Ok(Response {
                outcome,
                request_id,
            }) => {
                if let Some(why) = malformed {
                    tracing::error!(%mapping, request_id, entries, "{why}; the whole batch counts \
                         as failed");
                }
                if let Outcome::Error(error) = outcome {
                    tracing::warn!(
                        %mapping,
                        request_id,
                        entries,
                        error_type = error.error_type,
                        "batch failed: {}",
                        error.message
                    );
                }
            }
            Err(rejected @ (Rejected::Throttled(_) | Rejected::NoCapacity { .. })) => {
                tracing::warn!(%mapping, entries, "{rejected}; the batch is invoked again");
            }
            Err(rejected @ (Rejected::NotFound(_) | Rejected::TooLarge(_))) => {
                tracing::error!(%mapping, entries, "batch failed: {rejected}");
            }
            Err(Rejected::ShuttingDown) => {}
        }
        finish
    }
}
