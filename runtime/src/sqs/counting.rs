//! How many messages wait in the queue: requested at intervals, independently of the requests for messages.

use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName as Name;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::client::{Sqs, Wrong, wrong};

/// The time between an answer and the next request.
const INTERVAL: Duration = Duration::from_secs(5);

/// The number of a queue's messages; approximate, as the service defines it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Depth {
    /// That can be received.
    pub(super) visible: u64,
    /// That were received and are neither deleted nor visible again.
    pub(super) hidden: u64,
}

impl Sqs {
    async fn depth(&self, queue: &str) -> Result<Depth, Wrong> {
        let names = [
            Name::ApproximateNumberOfMessages,
            Name::ApproximateNumberOfMessagesNotVisible,
        ];
        let question = self
            .client
            .get_queue_attributes()
            .queue_url(self.url(queue))
            .set_attribute_names(Some(names.to_vec()));
        let answer = question.send().await.map_err(|error| wrong(&error))?;
        let [visible, hidden] = names.map(|name| {
            let text = answer.attributes().and_then(|all| all.get(&name));
            text.and_then(|text| text.parse().ok()).unwrap_or_default()
        });
        Ok(Depth { visible, hidden })
    }
}

/// Requests for the number of messages, at most one at a time. Dropping it ends a request that is out.
#[derive(Debug, Default)]
pub(super) struct Counting {
    out: JoinSet<Result<Depth, Wrong>>,
    /// Not before this; `None`: at once.
    due: Option<Instant>,
}

impl Counting {
    /// The next answer. May be dropped at any time and called again.
    pub(super) async fn next(&mut self, sqs: &Sqs, queue: &str) -> Result<Depth, Wrong> {
        loop {
            if let Some(counted) = self.out.join_next().await {
                self.due = Some(Instant::now() + INTERVAL);
                return counted.unwrap_or_else(|error| Err(Wrong::Other(error.to_string())));
            }
            if let Some(due) = self.due {
                tokio::time::sleep_until(due).await;
            }
            let sqs = sqs.clone();
            let queue = queue.to_owned();
            self.out.spawn(async move { sqs.depth(&queue).await });
        }
    }
}
