//! The messages of one event.

use serde::de::DeserializeOwned;

use crate::content::{self, BadContent};

/// The messages of one SQS event, in its order.
///
/// Made by deserialising.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SqsBatch {
    /// The messages.
    pub messages: Vec<SqsMessage>,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqsMessage {
    /// What the response names it by.
    pub id: String,
    /// What was sent.
    pub body: Body,
    /// Message attributes of type String or Number, in the order of their names. Others are left out.
    pub attributes: Vec<(String, String)>,
    /// How often it was received so far, this time included, about; nothing where the event does not say.
    pub receive_count: Option<u32>,
    /// When it was sent, milliseconds since 1970; nothing where the event does not say.
    pub sent_ms: Option<i64>,
    /// Its message group, of a FIFO queue.
    pub group: Option<String>,
    /// The queue it came from, without region and account; nothing where the event does not say.
    pub queue: Option<String>,
}

/// A body as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Text.
    Text(String),
    /// The event holds none.
    Bad {
        /// The JSON that stood there instead, so that it can be parked; empty where nothing did.
        raw: String,
        /// What is wrong.
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

    /// The body as a message in JSON. Refuses, with a reason for people, what is not JSON, of another shape, or has a NUL anywhere in
    /// its text.
    pub fn parse_json<T: DeserializeOwned>(&self) -> Result<T, BadContent> {
        match &self.body {
            Body::Text(text) => content::parse_json(text),
            Body::Bad { reason, .. } => Err(BadContent::Body(reason)),
        }
    }
}

impl Body {
    /// What there is to keep aside.
    pub fn to_park(&self) -> &str {
        match self {
            Self::Text(text) | Self::Bad { raw: text, .. } => text,
        }
    }
}
