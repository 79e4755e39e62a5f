//! Responses of the AWS JSON protocol. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::error::ApiError;
use crate::message::Attribute;

/// What a call returns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
#[allow(missing_docs, reason = "the names are those of the service")]
pub enum Response {
    Queue(QueueUrl),
    Queues(QueueUrls),
    SourceQueues(SourceQueueUrls),
    Attributes(Attributes),
    Sent(SentMessage),
    SentBatch(BatchResult<SentEntry>),
    Received(Messages),
    Batch(BatchResult<EntryId>),
    MoveTask(MoveTask),
    Done(Empty),
}

macro_rules! fields {
    ($($name:ident { $($(#[$meta:meta])* $field:ident: $kind:ty),* $(,)? })*) => {
        $(
            #[doc = concat!("Fields of a response: `", stringify!($name), "`.")]
            #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
            #[serde(rename_all = "PascalCase")]
            #[allow(missing_docs, reason = "the names are those of the service")]
            pub struct $name { $($(#[$meta])* pub $field: $kind),* }
        )*
    };
}

fields! {
    Empty {}
    QueueUrl { queue_url: String }
    QueueUrls {
        #[serde(skip_serializing_if = "Vec::is_empty")]
        queue_urls: Vec<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        next_token: Option<String>,
    }
    Attributes {
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        attributes: BTreeMap<String, String>,
    }
    SentMessage {
        message_id: String,
        #[serde(rename = "MD5OfMessageBody")]
        md5_of_body: String,
        #[serde(rename = "MD5OfMessageAttributes", skip_serializing_if = "Option::is_none")]
        md5_of_attributes: Option<String>,
        #[serde(rename = "MD5OfMessageSystemAttributes", skip_serializing_if = "Option::is_none")]
        md5_of_system_attributes: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        sequence_number: Option<String>,
    }
    SentEntry {
        id: String,
        #[serde(flatten)]
        sent: SentMessage,
    }
    EntryId { id: String }
    FailedEntry { id: String, code: String, message: String, sender_fault: bool }
    ReceivedMessage {
        message_id: String,
        receipt_handle: String,
        #[serde(rename = "MD5OfBody")]
        md5_of_body: String,
        body: String,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        attributes: BTreeMap<String, String>,
        #[serde(rename = "MD5OfMessageAttributes", skip_serializing_if = "Option::is_none")]
        md5_of_attributes: Option<String>,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        message_attributes: BTreeMap<String, Attribute>,
    }
    Messages {
        #[serde(skip_serializing_if = "Vec::is_empty")]
        messages: Vec<ReceivedMessage>,
    }
    MoveTask { task_handle: String }
}

/// `ListDeadLetterSourceQueues` has a field of another case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceQueueUrls {
    /// The URLs.
    #[serde(rename = "queueUrls")]
    pub queue_urls: Vec<String>,
}

/// The result of a batch: each entry succeeds or fails by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct BatchResult<E> {
    /// Entries that were applied.
    pub successful: Vec<E>,
    /// Entries that were refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<FailedEntry>,
}

impl<E> BatchResult<E> {
    pub(crate) fn of(entries: impl Iterator<Item = (String, Result<E, ApiError>)>) -> Self {
        let mut result = Self {
            successful: Vec::new(),
            failed: Vec::new(),
        };
        for (id, applied) in entries {
            match applied {
                Ok(entry) => result.successful.push(entry),
                Err(error) => result.failed.push(FailedEntry {
                    id,
                    code: error.kind.query_code(),
                    sender_fault: error.kind.is_fault_of_sender(),
                    message: error.message,
                }),
            }
        }
        result
    }
}

impl Response {
    pub(crate) const DONE: Self = Self::Done(Empty {});

    /// A receive that returns no message, and may therefore wait.
    pub fn is_empty_receive(&self) -> bool {
        matches!(self, Self::Received(received) if received.messages.is_empty())
    }

    /// The body.
    pub fn to_json(&self) -> Vec<u8> {
        // texts and maps of texts: nothing that JSON cannot represent
        serde_json::to_vec(self).unwrap_or_default()
    }
}
