//! Messages and the results of sending them.

use super::MAX_BYTES;

/// The type of all attributes.
pub(super) const ATTRIBUTE_TYPE: &str = "String";

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// The body, not empty.
    pub body: String,
    /// Message attributes, all of type String: names and values, at most 10, none empty.
    pub attributes: Vec<(String, String)>,
    /// Required by a FIFO queue; `None` for a standard queue.
    pub fifo: Option<Fifo>,
}

/// The parameters of a message in a FIFO queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fifo {
    /// Messages of a group are received in the order of sending.
    pub group: String,
    /// A second message with this id within five minutes is accepted and not delivered.
    pub deduplication: String,
}

/// A message that exceeds the limit of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{size} bytes with its attributes; SQS takes {MAX_BYTES}")]
pub struct TooLarge {
    /// Its size in bytes.
    pub size: usize,
}

impl Fifo {
    /// Maximum length of a group's name and of a deduplication id.
    const MAX_LEN: usize = 128;

    /// Whether a text is a valid group name: 1 to 128 visible ASCII characters.
    pub fn is_group(text: &str) -> bool {
        (1..=Self::MAX_LEN).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
    }
}

impl NewMessage {
    /// Its size in bytes as SQS counts it: the body, and name, type and value of each attribute.
    pub fn size(&self) -> usize {
        let attribute =
            |(name, value): &(String, String)| name.len() + ATTRIBUTE_TYPE.len() + value.len();
        self.body.len() + self.attributes.iter().map(attribute).sum::<usize>()
    }

    /// Its size, if it is within the limit of a request.
    pub fn checked_size(&self) -> Result<usize, TooLarge> {
        let size = self.size();
        if size <= MAX_BYTES {
            Ok(size)
        } else {
            Err(TooLarge { size })
        }
    }
}

/// The result of sending a message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Sent {
    /// SQS has accepted it.
    Accepted,
    /// SQS has refused it.
    Refused {
        /// The message itself is invalid: SQS will refuse it again. Otherwise it may be sent again.
        permanent: bool,
        /// Code and text of SQS.
        reason: String,
    },
}
