//! What the driver observes of its mapping, for the status.

use super::Driver;
use crate::sqs::client::Wrong;
use crate::sqs::counting::Depth;
use event_sources::health::SourceProblem;
use event_sources::queue::QueueBatchResult;

impl Driver {
    pub(super) fn show(&self) {
        let oldest = self.held.values().filter_map(|held| held.sent).min();
        self.progress.holds(self.machine.overview(), oldest);
    }

    /// Takes over the number of the queue's messages. A failure is reported by the requests for messages.
    pub(super) fn counted(&self, counted: Result<Depth, Wrong>) {
        match counted {
            Ok(depth) => self.progress.counted(depth),
            Err(why) => {
                tracing::debug!(mapping = %self.mapping.id, "the queue's messages cannot be counted: {why}");
            }
        }
    }

    /// What a request for messages that failed makes of the mapping.
    pub(super) fn problem(&self, why: &Wrong) -> SourceProblem {
        let queue = self.mapping.queue_name();
        let endpoint = self.sqs.endpoint();
        match why {
            Wrong::NoQueue => SourceProblem::missing(format!(
                "{endpoint} has no queue {queue}. Create it; it is read once it is there"
            )),
            why => SourceProblem::away(format!(
                "{queue} at {endpoint} cannot be asked: {why}. It is tried until it can"
            )),
        }
    }

    /// Notes what an invocation with so many messages came to.
    pub(super) fn show_finish(
        &self,
        messages: usize,
        finish: &QueueBatchResult,
        said: Option<String>,
    ) {
        let said = said.unwrap_or_else(|| {
            "its answer reports messages as failed, or cannot be read".to_owned()
        });
        match finish {
            QueueBatchResult::Answered(failed) => {
                if failed.len() < messages || failed.is_empty() {
                    self.progress.succeeded();
                }
                if !failed.is_empty() {
                    self.progress.failed(&said);
                }
            }
            QueueBatchResult::Failed => self.progress.failed(&said),
            QueueBatchResult::NotInvoked => self
                .progress
                .refused(format!("the function does not begin: {said}")),
        }
    }
}
