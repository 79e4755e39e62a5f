//! The messages of one event.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use tracing::Span;

use crate::content::{self, BadContent};
use crate::{BatchItemFailure, BatchResponse, EventBatch};

/// The messages of one SQS event, in its order.
///
/// Deserialised from the event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SqsBatch {
    /// The messages.
    pub messages: Vec<SqsMessage>,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqsMessage {
    /// Its id, by which the response identifies it.
    pub id: String,
    /// Its body.
    pub body: MessageBody,
    /// Message attributes of type String or Number, by name. Others are left out.
    pub attributes: Vec<(String, String)>,
    /// The approximate number of receives, this one included, if the event has it.
    pub receive_count: Option<u32>,
    /// When it was sent, milliseconds since 1970, if the event has it.
    pub sent_ms: Option<i64>,
    /// Its message group, in a FIFO queue.
    pub group: Option<String>,
    /// The name of its queue, without region and account, if the event has it.
    pub queue: Option<String>,
}

/// The body of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MessageBody {
    /// Text.
    Text(String),
    /// Not text.
    Bad {
        /// The JSON in place of the text, so that it can be parked; empty if there is none.
        raw: String,
        /// The problem.
        reason: &'static str,
    },
}

impl SqsMessage {
    /// The value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as a message in JSON.
    ///
    /// # Errors
    /// If it is not text or JSON, of another shape, or has a NUL in its text.
    pub fn parse_json<T: DeserializeOwned>(&self) -> Result<T, BadContent> {
        match &self.body {
            MessageBody::Text(text) => content::parse_json(text),
            MessageBody::Bad { reason, .. } => Err(BadContent::Body(reason)),
        }
    }
}

impl MessageBody {
    /// What to store when the message is parked.
    pub fn to_park(&self) -> &str {
        match self {
            Self::Text(text) | Self::Bad { raw: text, .. } => text,
        }
    }
}

/// A sequence is a message group; a message without a group is a sequence of its own. The response
/// has every message that failed and, in a message group, every message behind it, done or not:
/// a FIFO queue must deliver them in order.
impl EventBatch for SqsBatch {
    type Identifier = String;
    type Record<'a> = &'a SqsMessage;

    fn size(&self) -> usize {
        self.messages.len()
    }

    fn record(&self, index: usize) -> &SqsMessage {
        &self.messages[index]
    }

    fn sequences(&self) -> Vec<Vec<usize>> {
        let mut groups: BTreeMap<&str, usize> = BTreeMap::new();
        let mut sequences: Vec<Vec<usize>> = Vec::new();
        for (index, message) in self.messages.iter().enumerate() {
            let next = sequences.len();
            let sequence = message
                .group
                .as_deref()
                .map_or(next, |group| *groups.entry(group).or_insert(next));
            if sequence == next {
                sequences.push(Vec::new());
            }
            sequences[sequence].push(index);
        }
        sequences
    }

    fn span(&self, index: usize) -> Span {
        let SqsMessage {
            id, queue, group, ..
        } = self.record(index);
        tracing::info_span!("message", id, queue, group)
    }

    fn response(&self, failed: impl Iterator<Item = usize>) -> BatchResponse<String> {
        let mut failed = failed.peekable();
        let mut failed_groups = BTreeSet::new();
        let mut items = Vec::new();
        for (index, message) in self.messages.iter().enumerate() {
            let group = message.group.as_deref();
            if failed.next_if_eq(&index).is_some() {
                failed_groups.extend(group);
            } else if !group.is_some_and(|group| failed_groups.contains(group)) {
                continue;
            }
            items.push(BatchItemFailure {
                identifier: message.id.clone(),
            });
        }
        BatchResponse { items }
    }
}
