//! Dead letters in a queue: received, resent to their source, deleted or released.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName as Name};

use super::client::{Sqs, SqsError, convert};
use super::settlement::{Disposition, settle};
use sam_template::model::sqs::is_fifo;

/// A received message of a dead-letter queue, hidden from other consumers.
#[derive(Debug, Clone, Default)]
pub struct DeadLetter {
    /// `MessageId`.
    pub id: String,
    /// Body of the message.
    pub body: String,
    /// When the message was first sent, milliseconds since 1970.
    pub sent_ms: Option<u64>,
    /// Number of receives, including this one.
    pub receives: Option<u32>,
    /// `MessageGroupId`.
    pub group: Option<String>,
    /// ARN of the source queue, if the server reports it.
    pub source: Option<String>,
    receipt: String,
    attributes: HashMap<String, MessageAttributeValue>,
}

impl DeadLetter {
    fn of(message: Message) -> Self {
        let system = |name: Name| message.attributes().and_then(|all| all.get(&name)).cloned();
        Self {
            id: message.message_id().unwrap_or_default().to_owned(),
            sent_ms: system(Name::SentTimestamp).and_then(|text| text.parse().ok()),
            receives: system(Name::ApproximateReceiveCount).and_then(|text| text.parse().ok()),
            group: system(Name::MessageGroupId),
            source: system(Name::DeadLetterQueueSourceArn),
            receipt: message.receipt_handle().unwrap_or_default().to_owned(),
            attributes: message.message_attributes.unwrap_or_default(),
            body: message.body.unwrap_or_default(),
        }
    }

    /// The text of a message attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name)?.string_value()
    }
}

impl Sqs {
    /// Approximate number of visible and hidden messages of a queue.
    ///
    /// # Errors
    /// The queue does not exist, or the server does not respond.
    pub async fn count(&self, queue: &str) -> Result<u64, SqsError> {
        let depth = self.depth(queue).await?;
        Ok(depth.visible + depth.hidden)
    }

    /// Receives up to ten messages and hides them for `hidden`. Waits a second for the first one.
    ///
    /// # Errors
    /// The queue does not exist, or the server does not respond.
    pub async fn receive_dead_letters(
        &self,
        queue: &str,
        max: usize,
        hidden: Duration,
    ) -> Result<Vec<DeadLetter>, SqsError> {
        let wait = Duration::from_secs(1);
        let received = self.receive(queue, max.clamp(1, 10), wait, Some(hidden));
        Ok(received.await?.into_iter().map(DeadLetter::of).collect())
    }

    /// Sends body and attributes of a dead letter to a queue. A FIFO queue deduplicates the same
    /// dead letter for five minutes.
    ///
    /// # Errors
    /// The queue did not accept it.
    pub async fn resend(&self, queue: &str, dead: &DeadLetter) -> Result<(), SqsError> {
        let fifo = is_fifo(queue);
        let attributes = (!dead.attributes.is_empty()).then(|| dead.attributes.clone());
        let request = self
            .client
            .send_message()
            .queue_url(self.url(queue))
            .message_body(&dead.body)
            .set_message_attributes(attributes)
            .set_message_group_id(dead.group.clone())
            .set_message_deduplication_id(fifo.then(|| format!("replay-{}", dead.id)));
        let sent = request.send().await;
        sent.map(drop).map_err(|error| convert(&error))
    }

    /// Returns why one could not be deleted.
    pub async fn delete_dead_letters(&self, queue: &str, dead: &[DeadLetter]) -> Option<String> {
        self.settle_all(queue, Disposition::Delete, dead).await
    }

    /// Makes them visible to other consumers. Returns why one stays hidden until its timeout.
    pub async fn release_dead_letters(&self, queue: &str, dead: &[DeadLetter]) -> Option<String> {
        self.settle_all(queue, Disposition::Release, dead).await
    }

    async fn settle_all(
        &self,
        queue: &str,
        disposition: Disposition,
        dead: &[DeadLetter],
    ) -> Option<String> {
        let receipts = dead.iter().map(|dead| dead.receipt.clone()).collect();
        settle(self, queue, disposition, receipts).await.1
    }
}
