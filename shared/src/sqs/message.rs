//! A message to be sent, and what became of it.

use super::MAX_BYTES;

/// The type that all our attributes have.
pub(super) const ATTRIBUTE_TYPE: &str = "String";

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// The body, not empty.
    pub body: String,
    /// Message attributes, all of type String: names and values, at most 10, none empty.
    pub attributes: Vec<(String, String)>,
    /// What a FIFO queue asks for besides; nothing for a standard queue.
    pub fifo: Option<Fifo>,
}

/// What a FIFO queue asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fifo {
    /// Messages of a group are received in the order they were sent.
    pub group: String,
    /// The same identity again within five minutes is accepted and not delivered.
    pub deduplication: String,
}

/// A message that no request can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{size} bytes with its attributes; SQS takes {MAX_BYTES}")]
pub struct TooLarge {
    /// Its size.
    pub size: usize,
}

impl Fifo {
    /// Most characters of a group's name or of a deduplication identity.
    const MAX_LEN: usize = 128;

    /// Whether SQS takes a text as the name of a group: 1 to 128 visible ASCII characters.
    pub fn is_group(text: &str) -> bool {
        (1..=Self::MAX_LEN).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
    }
}

impl NewMessage {
    /// Its size as SQS counts: the body, and of each attribute name, type and value.
    pub fn size(&self) -> usize {
        let attribute =
            |(name, value): &(String, String)| name.len() + ATTRIBUTE_TYPE.len() + value.len();
        self.body.len() + self.attributes.iter().map(attribute).sum::<usize>()
    }

    /// Its size, if a request can carry it.
    pub fn checked_size(&self) -> Result<usize, TooLarge> {
        let size = self.size();
        if size <= MAX_BYTES {
            Ok(size)
        } else {
            Err(TooLarge { size })
        }
    }
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Sent {
    /// SQS has it.
    Accepted,
    /// SQS refused it.
    Refused {
        /// The message itself is at fault: it will be refused again. Else it may be sent again later.
        by_its_fault: bool,
        /// Code and text, as SQS gave them.
        reason: String,
    },
}
