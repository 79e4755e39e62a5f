//! Messages: their content, which never changes, and the state of their delivery. Pure.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::Millis;
use crate::error::{ApiError, ErrorKind};
use crate::limits::{MAX_ATTRIBUTE_NAME, MAX_ATTRIBUTES};

/// Orders the messages of all queues by their arrival. Never used twice.
pub type MessageNumber = u64;

/// An attribute of a message, as the API has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Attribute {
    /// `String`, `Number` or `Binary`, with an optional own name: `Number.float`.
    pub data_type: String,
    /// Value of a `String` or `Number`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub string_value: Option<String>,
    /// Value of a `Binary`, in Base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binary_value: Option<String>,
}

/// What a producer sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// `MessageId`.
    pub id: String,
    /// The body.
    pub body: String,
    /// Attributes by name.
    pub attributes: BTreeMap<String, Attribute>,
    /// `AWSTraceHeader`.
    pub trace: Option<String>,
    /// `MessageGroupId`.
    pub group: Option<String>,
    /// `MessageDeduplicationId`, given or derived from the body.
    pub deduplication_id: Option<String>,
    /// `SentTimestamp`.
    pub sent: Millis,
}

/// How far the delivery of a message has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// When it can be received.
    pub visible_at: Millis,
    /// Receives from this queue.
    pub receives: u32,
    /// Time of the first receive.
    pub first_received: Option<Millis>,
    /// Time of the last receive.
    pub last_received: Millis,
    /// Distinguishes the last receive from earlier ones; part of its receipt handle.
    pub receipt: u64,
    /// The retention period begins here.
    pub retained_from: Millis,
    /// ARN of the queue from which it came as a dead letter.
    pub dead_letter_source: Option<String>,
}

impl Attribute {
    #[cfg(test)]
    pub(crate) fn text(data_type: &str, value: &str) -> Self {
        Self {
            data_type: data_type.into(),
            string_value: Some(value.into()),
            binary_value: None,
        }
    }

    /// Whether the value is bytes, not a text.
    pub(crate) fn is_binary(&self) -> bool {
        self.string_value.is_none()
    }

    /// The bytes of the value.
    pub(crate) fn bytes(&self) -> Cow<'_, [u8]> {
        match (&self.string_value, &self.binary_value) {
            (Some(text), _) => text.as_bytes().into(),
            (None, Some(binary)) => STANDARD.decode(binary).unwrap_or_default().into(),
            (None, None) => Cow::default(),
        }
    }

    /// Bytes that count towards the size of the message.
    fn size(&self) -> usize {
        self.data_type.len() + self.bytes().len()
    }

    /// Checks type and value.
    fn check(&self, name: &str) -> Result<(), ApiError> {
        let invalid = |why: String| Err(ApiError::new(ErrorKind::InvalidParameterValue, why));
        let kind = self.data_type.split('.').next().unwrap_or_default();
        let of_bytes = match kind {
            "String" | "Number" => false,
            "Binary" => true,
            _ => {
                return invalid(format!(
                    "The type of message (user) attribute '{name}' is invalid. You must use only \
                     the following supported type prefixes: Binary, Number, String."
                ));
            }
        };
        let found = if of_bytes {
            &self.binary_value
        } else {
            &self.string_value
        };
        let Some(value) = found.as_deref().filter(|value| !value.is_empty()) else {
            let field = if of_bytes { "binary" } else { "string" };
            return invalid(format!(
                "The message (user) attribute '{name}' must contain a non-empty {field} value for \
                 the type {kind}."
            ));
        };
        if of_bytes && (self.string_value.is_some() || STANDARD.decode(value).is_err()) {
            return invalid(format!(
                "The message (user) attribute '{name}' has a value that is not binary."
            ));
        }
        if !of_bytes && self.binary_value.is_some() {
            return invalid(format!(
                "The message (user) attribute '{name}' has a value that is not a string."
            ));
        }
        if kind == "Number" && !value.parse::<f64>().is_ok_and(f64::is_finite) {
            return invalid(format!(
                "Can't cast the value of message (user) attribute '{name}' to a number."
            ));
        }
        if of_bytes {
            return Ok(());
        }
        check_characters(value)
    }
}

/// Checks the attributes of a message, and returns their size.
pub(crate) fn check_attributes(
    attributes: &BTreeMap<String, Attribute>,
) -> Result<usize, ApiError> {
    let invalid = |why: String| Err(ApiError::new(ErrorKind::InvalidParameterValue, why));
    if attributes.len() > MAX_ATTRIBUTES {
        return invalid(format!(
            "Number of message attributes [{}] exceeds the allowed maximum [{MAX_ATTRIBUTES}].",
            attributes.len()
        ));
    }
    let mut size = 0;
    for (name, attribute) in attributes {
        let lower = name.to_ascii_lowercase();
        let named = !name.is_empty()
            && name.len() <= MAX_ATTRIBUTE_NAME
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
            && !name.starts_with('.')
            && !name.ends_with('.')
            && !name.contains("..")
            && !lower.starts_with("aws.")
            && !lower.starts_with("amazon.");
        if !named {
            return invalid(format!(
                "The message (user) attribute name '{name}' is invalid: up to \
                 {MAX_ATTRIBUTE_NAME} letters, digits, underscores, hyphens and single periods, \
                 not beginning with AWS. or Amazon."
            ));
        }
        attribute.check(name)?;
        size += name.len() + attribute.size();
    }
    Ok(size)
}

/// Checks that a text has only characters that XML 1.0 allows.
pub(crate) fn check_characters(text: &str) -> Result<(), ApiError> {
    let allowed = |one: char| matches!(one, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
    match text.chars().find(|one| !allowed(*one)) {
        None => Ok(()),
        Some(other) => Err(ApiError::new(
            ErrorKind::InvalidMessageContents,
            format!(
                "Invalid characters found. Valid unicode characters are #x9 | #xA | #xD | #x20 to \
                 #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF; found #x{:X}",
                u32::from(other)
            ),
        )),
    }
}
