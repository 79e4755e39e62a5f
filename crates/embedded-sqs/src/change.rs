//! What a store has to write, and what it returns at the next start. Pure.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Millis;
use crate::attributes::QueueAttributes;
use crate::message::{Content, Delivery, MessageNumber};

/// Identifies a queue, also after another one of its name was deleted.
pub type QueueId = u64;

/// What is stored of a queue beside its messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueRecord {
    /// Name.
    pub name: String,
    /// Attributes.
    pub attributes: QueueAttributes,
    /// `CreatedTimestamp`.
    pub created: Millis,
    /// `LastModifiedTimestamp`.
    pub modified: Millis,
}

/// A deduplication id that suppresses messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deduplication {
    /// `MessageId` of the message that was accepted.
    pub message_id: String,
    /// Its number.
    pub number: MessageNumber,
    /// When the id may be used again.
    pub until: Millis,
}

/// A change of the state. All changes of a call belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A queue was created, or its attributes were changed.
    PutQueue(QueueId, QueueRecord),
    /// A queue was deleted, with all that it held.
    RemoveQueue(QueueId),
    /// The messages of a queue were deleted.
    ClearQueue(QueueId),
    /// A message was added.
    AddMessage(QueueId, MessageNumber, Arc<Content>, Delivery),
    /// A message was received, hidden or shown.
    PutDelivery(QueueId, MessageNumber, Delivery),
    /// A message was deleted, has expired or was moved.
    RemoveMessage(QueueId, MessageNumber),
    /// A deduplication id was used.
    PutDeduplication(QueueId, String, Deduplication),
    /// A deduplication id may be used again.
    RemoveDeduplication(QueueId, String),
}

impl Change {
    /// The queue that changes.
    pub fn queue(&self) -> QueueId {
        match self {
            Self::PutQueue(queue, _)
            | Self::RemoveQueue(queue)
            | Self::ClearQueue(queue)
            | Self::AddMessage(queue, ..)
            | Self::PutDelivery(queue, ..)
            | Self::RemoveMessage(queue, _)
            | Self::PutDeduplication(queue, ..)
            | Self::RemoveDeduplication(queue, _) => *queue,
        }
    }
}

/// What a store holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stored {
    /// Queues.
    pub queues: Vec<(QueueId, QueueRecord)>,
    /// Messages.
    pub messages: Vec<(QueueId, MessageNumber, Content, Delivery)>,
    /// Deduplication ids.
    pub deduplications: Vec<(QueueId, String, Deduplication)>,
}
