//! Forms batches, bounded by count and bytes.

use std::collections::VecDeque;

use super::{MessageKey, QueueMessage, QueueSettings};
use crate::Millis;

/// The messages of one invocation, in the order received.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) messages: Vec<QueueMessage>,
    bytes: usize,
    /// When the first message was received.
    pub(super) since: Millis,
    /// When the visibility timeout of the first message was last set.
    pub(super) hidden_since: Millis,
    /// An instance has begun it.
    pub(super) begun: bool,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    /// Adds the message if it fits, else returns it. An empty batch accepts any size, so that a
    /// message beyond the limit travels alone.
    fn push(
        &mut self,
        message: QueueMessage,
        now: Millis,
        settings: &QueueSettings,
    ) -> Option<QueueMessage> {
        let bytes = self.bytes + message.size;
        if !self.is_empty()
            && (self.len() >= settings.batch_size
                || settings.envelope + bytes > settings.max_payload)
        {
            return Some(message);
        }
        if self.is_empty() {
            (self.since, self.hidden_since) = (now, now);
        }
        self.bytes = bytes;
        self.messages.push(message);
        None
    }

    pub(super) fn keys(&self) -> Vec<MessageKey> {
        self.messages.iter().map(|message| message.key).collect()
    }

    /// Whether no message of any size fits.
    pub(super) fn is_full(&self, settings: &QueueSettings) -> bool {
        self.len() >= settings.batch_size || settings.envelope + self.bytes >= settings.max_payload
    }
}

/// Adds messages to the open batch. When one does not fit, the batch moves to `closed` and a new
/// one opens.
pub(super) fn fill(
    open: &mut Batch,
    messages: Vec<QueueMessage>,
    now: Millis,
    settings: &QueueSettings,
    closed: &mut VecDeque<Batch>,
) {
    for message in messages {
        if let Some(message) = open.push(message, now, settings) {
            closed.push_back(std::mem::take(open));
            // an empty batch accepts any message
            open.push(message, now, settings);
        }
    }
}
