//! Sends messages in batches.

use aws_sdk_sqs::types::SendMessageBatchRequestEntry;

use super::client::{Sqs, SqsError, attribute, convert};

/// A message to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutgoingMessage {
    /// Body.
    pub body: String,
    /// `MessageGroupId`.
    pub group: Option<String>,
    /// `MessageDeduplicationId`.
    pub deduplication: Option<String>,
    /// Message attributes, text.
    pub attributes: Vec<(&'static str, String)>,
}

impl Sqs {
    /// Sends up to ten messages in one call. Returns the messages that must be sent again, and why
    /// the queue refuses one of them, if it does.
    ///
    /// # Errors
    /// The call failed. Whether messages were sent is unknown.
    pub async fn send_batch(
        &self,
        queue: &str,
        messages: &[OutgoingMessage],
    ) -> Result<(Vec<OutgoingMessage>, Option<String>), SqsError> {
        let mut request = self.client.send_message_batch().queue_url(self.url(queue));
        for (at, message) in messages.iter().enumerate() {
            let mut entry = SendMessageBatchRequestEntry::builder()
                .id(at.to_string())
                .message_body(&message.body)
                .set_message_group_id(message.group.clone())
                .set_message_deduplication_id(message.deduplication.clone());
            for (name, text) in &message.attributes {
                entry = entry.message_attributes(*name, attribute("String", text)?);
            }
            request = request.entries(entry.build()?);
        }
        let answer = request.send().await.map_err(|error| convert(&error))?;
        let refused = answer.failed().iter().find(|failed| failed.sender_fault());
        let refused = refused.map(|failed| {
            format!(
                "{}: {}",
                failed.code(),
                failed.message().unwrap_or_default()
            )
        });
        let failed = answer
            .failed()
            .iter()
            .filter_map(|failed| messages.get(failed.id().parse::<usize>().ok()?))
            .cloned();
        Ok((failed.collect(), refused))
    }
}
