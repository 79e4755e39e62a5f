//! Requests the number of messages in the queue at intervals.

use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName as Name;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::client::{Sqs, SqsError};

/// Pause between an answer and the next request.
const INTERVAL: Duration = Duration::from_secs(5);

/// Approximate numbers of messages in a queue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Depth {
    /// Messages that can be received.
    pub(super) visible: u64,
    /// Messages that were received and are neither deleted nor visible again.
    pub(super) hidden: u64,
}

impl Sqs {
    pub(super) async fn depth(&self, queue: &str) -> Result<Depth, SqsError> {
        let names = [
            Name::ApproximateNumberOfMessages,
            Name::ApproximateNumberOfMessagesNotVisible,
        ];
        let found = self.attributes(queue, &names).await?;
        let [visible, hidden] = names.map(|name| {
            let number = found.get(&name).and_then(|text| text.parse().ok());
            number.unwrap_or_default()
        });
        Ok(Depth { visible, hidden })
    }
}

/// Requests the depth of a queue, at most once at a time. Dropping it cancels an open request.
#[derive(Debug, Default)]
pub(super) struct DepthPoller {
    request: JoinSet<Result<Depth, SqsError>>,
    /// Earliest time of the next request.
    due: Option<Instant>,
}

impl DepthPoller {
    /// Waits for the next answer. Cancel-safe.
    pub(super) async fn next(&mut self, sqs: &Sqs, queue: &str) -> Result<Depth, SqsError> {
        loop {
            if let Some(counted) = self.request.join_next().await {
                self.due = Some(Instant::now() + INTERVAL);
                return counted.unwrap_or_else(|error| Err(SqsError::Other(error.to_string())));
            }
            if let Some(due) = self.due {
                tokio::time::sleep_until(due).await;
            }
            let sqs = sqs.clone();
            let queue = queue.to_owned();
            self.request.spawn(async move { sqs.depth(&queue).await });
        }
    }
}
