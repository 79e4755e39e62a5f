//! Batches: messages that travel together, cut by count and by bytes.

use crate::Millis;
use std::collections::VecDeque;

use super::{MessageKey, QueueMessage, QueueSettings};

/// Messages for one invocation, in the order received.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) messages: Vec<QueueMessage>,
    bytes: usize,
    /// When the first of them was received.
    pub(super) since: Millis,
    /// When the last request to hide the first of them was made.
    pub(super) hidden_since: Millis,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    /// Takes the message if the batch has room for it. An empty one takes any: a message beyond the limit travels alone.
    fn take(
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

    /// Their names.
    pub(super) fn keys(&self) -> Vec<MessageKey> {
        self.messages.iter().map(|message| message.key).collect()
    }

    /// Nothing more fits, whatever its size.
    pub(super) fn is_full(&self, settings: &QueueSettings) -> bool {
        self.len() >= settings.batch_size || settings.envelope + self.bytes >= settings.max_payload
    }
}

/// Adds messages to the batch that is open; whenever the next does not fit, the batch moves to `closed` and a new one opens.
pub(super) fn fill(
    open: &mut Batch,
    messages: Vec<QueueMessage>,
    now: Millis,
    settings: &QueueSettings,
    closed: &mut VecDeque<Batch>,
) {
    for message in messages {
        if let Some(message) = open.take(message, now, settings) {
            closed.push_back(std::mem::take(open));
            // an empty batch takes it
            open.take(message, now, settings);
        }
    }
}
