//! Messages that this host itself sends, several in a call.

use aws_sdk_sqs::types::{MessageAttributeValue, SendMessageBatchRequestEntry};

use super::client::{Sqs, Wrong, wrong};

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
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
    /// Sends up to ten messages in one call. Yields those that are to be sent again, and why one is refused for what it is.
    ///
    /// # Errors
    /// The call failed; nothing is known of any message.
    pub async fn send_notes(
        &self,
        queue: &str,
        notes: &[Note],
    ) -> Result<(Vec<Note>, Option<String>), Wrong> {
        let mut request = self.client.send_message_batch().queue_url(self.url(queue));
        for (at, note) in notes.iter().enumerate() {
            let mut entry = SendMessageBatchRequestEntry::builder()
                .id(at.to_string())
                .message_body(&note.body)
                .set_message_group_id(note.group.clone())
                .set_message_deduplication_id(note.deduplication.clone());
            for (name, text) in &note.attributes {
                let value = MessageAttributeValue::builder()
                    .data_type("String")
                    .string_value(text)
                    .build();
                entry = entry.message_attributes(
                    *name,
                    value.map_err(|error| Wrong::Other(error.to_string()))?,
                );
            }
            request = request.entries(
                entry
                    .build()
                    .map_err(|error| Wrong::Other(error.to_string()))?,
            );
        }
        let answer = request.send().await.map_err(|error| wrong(&error))?;
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
            .filter_map(|failed| notes.get(failed.id().parse::<usize>().ok()?))
            .cloned();
        Ok((failed.collect(), refused))
    }
}
