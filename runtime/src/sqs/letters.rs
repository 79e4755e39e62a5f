//! Messages that a person looks at or sends back: what a dead-letter queue holds.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_sqs::types::{
    Message, MessageAttributeValue, MessageSystemAttributeName as Name, QueueAttributeName,
};

use super::client::{Sqs, Wrong, wrong};
use super::settlement::{Verdict, settle};
use crate::model::sqs::is_fifo;

/// A message of a dead-letter queue, hidden from others for as long as was asked.
#[derive(Debug, Clone, Default)]
pub struct Letter {
    /// `MessageId`.
    pub id: String,
    /// The body.
    pub body: String,
    /// When it was first sent, milliseconds since 1970.
    pub sent_ms: Option<u64>,
    /// How often it was received, this time included.
    pub receives: Option<u32>,
    /// `MessageGroupId`.
    pub group: Option<String>,
    /// ARN of the queue it came from, where the service tells.
    pub source: Option<String>,
    receipt: String,
    attributes: HashMap<String, MessageAttributeValue>,
}

impl Letter {
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
    /// Messages of a queue, about: visible and hidden ones.
    ///
    /// # Errors
    /// The queue does not exist, or nobody answers.
    pub async fn count(&self, queue: &str) -> Result<u64, Wrong> {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let question = self
            .client
            .get_queue_attributes()
            .queue_url(self.url(queue))
            .set_attribute_names(Some(names.to_vec()));
        let answer = question.send().await.map_err(|error| wrong(&error))?;
        let count = |name| {
            answer
                .attributes()
                .and_then(|all| all.get(name))
                .and_then(|text| text.parse::<u64>().ok())
        };
        Ok(names.iter().filter_map(count).sum())
    }

    /// Takes up to ten messages and hides them from others for `hidden`. Waits a second for the first.
    ///
    /// # Errors
    /// The queue does not exist, or nobody answers.
    pub async fn letters(
        &self,
        queue: &str,
        most: usize,
        hidden: Duration,
    ) -> Result<Vec<Letter>, Wrong> {
        let request = self
            .client
            .receive_message()
            .queue_url(self.url(queue))
            .max_number_of_messages(most.clamp(1, 10) as i32)
            .wait_time_seconds(1)
            .visibility_timeout(hidden.as_secs() as i32)
            .message_system_attribute_names(Name::All)
            .message_attribute_names("All");
        let answer = request.send().await.map_err(|error| wrong(&error))?;
        Ok(answer
            .messages
            .unwrap_or_default()
            .into_iter()
            .map(Letter::of)
            .collect())
    }

    /// Sends a letter's body and attributes to a queue. A FIFO queue takes the same letter once in five minutes.
    ///
    /// # Errors
    /// It was not taken.
    pub async fn send_back(&self, queue: &str, letter: &Letter) -> Result<(), Wrong> {
        let fifo = is_fifo(queue);
        let attributes = (!letter.attributes.is_empty()).then(|| letter.attributes.clone());
        let request = self
            .client
            .send_message()
            .queue_url(self.url(queue))
            .message_body(&letter.body)
            .set_message_attributes(attributes)
            .set_message_group_id(letter.group.clone())
            .set_message_deduplication_id(fifo.then(|| format!("replay-{}", letter.id)));
        request
            .send()
            .await
            .map(drop)
            .map_err(|error| wrong(&error))
    }

    /// Deletes letters. Says why one could not be.
    pub async fn bury(&self, queue: &str, letters: &[Letter]) -> Option<String> {
        self.tell(queue, Verdict::Delete, letters).await
    }

    /// Shows letters again at once. Says why one could not be; it shows itself later.
    pub async fn put_back(&self, queue: &str, letters: &[Letter]) -> Option<String> {
        self.tell(queue, Verdict::Release, letters).await
    }

    async fn tell(&self, queue: &str, verdict: Verdict, letters: &[Letter]) -> Option<String> {
        let receipts = letters
            .iter()
            .map(|letter| letter.receipt.clone())
            .collect();
        settle(self, queue, verdict, receipts).await.1
    }
}
