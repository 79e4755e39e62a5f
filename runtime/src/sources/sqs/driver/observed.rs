//! Reports the observations of the driver to the status.

use super::SqsDriver;
use crate::sources::sqs::client::SqsError;
use crate::sources::sqs::depth::Depth;
use event_sources::health::SourceProblem;
use event_sources::queue::QueueBatchResult;

impl SqsDriver {
    pub(super) fn report_overview(&self) {
        let oldest = self.held.values().filter_map(|held| held.sent).min();
        self.progress.set_overview(self.machine.overview(), oldest);
    }

    /// Stores the depth of the queue. Receives report a failure of the queue.
    pub(super) fn depth_received(&self, depth: Result<Depth, SqsError>) {
        match depth {
            Ok(depth) => self.progress.set_depth(depth),
            Err(why) => {
                tracing::debug!(mapping = %self.source.mapping.id, "the depth of the queue is not \
                     available: {why}");
            }
        }
    }

    /// The state of the mapping after a failed receive.
    pub(super) fn problem(&self, why: &SqsError) -> SourceProblem {
        let queue = self.source.mapping.queue_name();
        let endpoint = self.source.sqs.endpoint();
        match why {
            SqsError::NoQueue => SourceProblem::missing(format!(
                "{endpoint} has no queue {queue}. Create it; the mapping reads it once it exists"
            )),
            SqsError::Denied(why) => SourceProblem::stuck(format!(
                "{endpoint} does not let this host read {queue}: {why}. Allow it \
                 sqs:ReceiveMessage, sqs:DeleteMessage, sqs:ChangeMessageVisibility and \
                 sqs:GetQueueAttributes"
            )),
            why => SourceProblem::away(format!(
                "{queue} at {endpoint} cannot be read: {why}. The mapping retries until it can"
            )),
        }
    }

    /// Reports the result of an invocation with so many messages.
    pub(super) fn report_result(
        &self,
        messages: usize,
        result: &QueueBatchResult,
        error: Option<String>,
    ) {
        let error = error.unwrap_or_else(|| {
            "its answer reports messages as failed, or cannot be read".to_owned()
        });
        self.progress.observe(|watch, now| match result {
            QueueBatchResult::Answered(failed) => {
                if failed.len() < messages || failed.is_empty() {
                    watch.succeeded(now);
                    watch.progressed(now);
                }
                if !failed.is_empty() {
                    watch.failed(now, &error);
                }
            }
            QueueBatchResult::Failed => watch.failed(now, &error),
            QueueBatchResult::NotInvoked => {
                watch.refused(format!("the function does not begin: {error}"));
            }
        });
    }
}
