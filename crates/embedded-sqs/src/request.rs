//! Requests of the AWS JSON protocol 1.0: the header `X-Amz-Target` names the action, the body has
//! its parameters. Pure.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::{ApiError, ErrorKind};
use crate::message::Attribute;

/// Begins the value of `X-Amz-Target`.
const PREFIX: &str = "AmazonSQS.";

/// A call. The parameters have the names of the API reference.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the names are those of the service")]
pub enum Request {
    ChangeMessageVisibility(ChangeVisibility),
    ChangeMessageVisibilityBatch(Batch<ChangeVisibilityEntry>),
    CreateQueue(CreateQueue),
    DeleteMessage(DeleteMessage),
    DeleteMessageBatch(Batch<DeleteMessageEntry>),
    DeleteQueue(OfQueue),
    GetQueueAttributes(GetQueueAttributes),
    GetQueueUrl(GetQueueUrl),
    ListDeadLetterSourceQueues(OfQueue),
    ListQueues(ListQueues),
    PurgeQueue(OfQueue),
    ReceiveMessage(ReceiveMessage),
    SendMessage(SendMessage),
    SendMessageBatch(Batch<SendMessageEntry>),
    SetQueueAttributes(SetQueueAttributes),
    StartMessageMoveTask(StartMessageMoveTask),
}

macro_rules! parameters {
    ($($name:ident { $($(#[$meta:meta])* $field:ident: $kind:ty),* $(,)? })*) => {
        $(
            #[doc = concat!("Parameters of an action: `", stringify!($name), "`.")]
            #[derive(Debug, Clone, Deserialize)]
            #[serde(rename_all = "PascalCase")]
            #[allow(missing_docs, reason = "the names are those of the service")]
            pub struct $name { $($(#[$meta])* pub $field: $kind),* }
        )*
    };
}

parameters! {
    OfQueue { queue_url: String }
    ChangeVisibility { queue_url: String, receipt_handle: String, visibility_timeout: i64 }
    ChangeVisibilityEntry {
        id: String,
        receipt_handle: String,
        #[serde(default)] visibility_timeout: i64,
    }
    CreateQueue { queue_name: String, #[serde(default)] attributes: BTreeMap<String, String> }
    DeleteMessage { queue_url: String, receipt_handle: String }
    DeleteMessageEntry { id: String, receipt_handle: String }
    GetQueueAttributes { queue_url: String, #[serde(default)] attribute_names: Vec<String> }
    GetQueueUrl { queue_name: String }
    ListQueues {
        queue_name_prefix: Option<String>,
        max_results: Option<i64>,
        next_token: Option<String>,
    }
    ReceiveMessage {
        queue_url: String,
        #[serde(default)] attribute_names: Vec<String>,
        #[serde(default)] message_system_attribute_names: Vec<String>,
        #[serde(default)] message_attribute_names: Vec<String>,
        max_number_of_messages: Option<i64>,
        visibility_timeout: Option<i64>,
        wait_time_seconds: Option<i64>,
    }
    SendMessage { queue_url: String, #[serde(flatten)] message: OutgoingMessage }
    SendMessageEntry { id: String, #[serde(flatten)] message: OutgoingMessage }
    OutgoingMessage {
        message_body: String,
        delay_seconds: Option<i64>,
        #[serde(default)] message_attributes: BTreeMap<String, Attribute>,
        #[serde(default)] message_system_attributes: BTreeMap<String, Attribute>,
        message_deduplication_id: Option<String>,
        message_group_id: Option<String>,
    }
    SetQueueAttributes { queue_url: String, attributes: BTreeMap<String, String> }
    StartMessageMoveTask { source_arn: String, destination_arn: Option<String> }
}

/// A batch of entries.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Batch<E> {
    /// The queue.
    pub queue_url: String,
    /// The entries.
    pub entries: Vec<E>,
}

impl Request {
    /// URL of the queue of a `ReceiveMessage`, which may wait for messages.
    pub fn receives_from(&self) -> Option<&str> {
        match self {
            Self::ReceiveMessage(receive) => Some(&receive.queue_url),
            _ => None,
        }
    }

    /// Reads a request.
    ///
    /// # Errors
    /// The action is unknown, or its parameters cannot be read.
    pub fn parse(target: &str, body: &[u8]) -> Result<Self, ApiError> {
        let action = target.strip_prefix(PREFIX).unwrap_or(target);
        match action {
            "ChangeMessageVisibility" => read(body).map(Self::ChangeMessageVisibility),
            "ChangeMessageVisibilityBatch" => read(body).map(Self::ChangeMessageVisibilityBatch),
            "CreateQueue" => read(body).map(Self::CreateQueue),
            "DeleteMessage" => read(body).map(Self::DeleteMessage),
            "DeleteMessageBatch" => read(body).map(Self::DeleteMessageBatch),
            "DeleteQueue" => read(body).map(Self::DeleteQueue),
            "GetQueueAttributes" => read(body).map(Self::GetQueueAttributes),
            "GetQueueUrl" => read(body).map(Self::GetQueueUrl),
            "ListDeadLetterSourceQueues" => read(body).map(Self::ListDeadLetterSourceQueues),
            "ListQueues" => read(body).map(Self::ListQueues),
            "PurgeQueue" => read(body).map(Self::PurgeQueue),
            "ReceiveMessage" => read(body).map(Self::ReceiveMessage),
            "SendMessage" => read(body).map(Self::SendMessage),
            "SendMessageBatch" => read(body).map(Self::SendMessageBatch),
            "SetQueueAttributes" => read(body).map(Self::SetQueueAttributes),
            "StartMessageMoveTask" => read(body).map(Self::StartMessageMoveTask),
            other => Err(ApiError::new(
                ErrorKind::UnknownOperation,
                format!(
                    "the embedded SQS has no action '{other}'. The reference of usher lists its \
                     actions; another server may have this one"
                ),
            )),
        }
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    strict_json::from_slice(body).map_err(|error| {
        let why = error.to_string();
        // serde names the absent field
        match why
            .strip_prefix("missing field `")
            .and_then(|rest| rest.split_once('`'))
        {
            Some((field, _)) => ApiError::missing(field),
            None => ApiError::new(ErrorKind::Serialization, why),
        }
    })
}
