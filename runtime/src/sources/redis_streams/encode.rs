//! An entry as a record of Lambda's SQS event: the form that stream-bridge's messages have, so that
//! a function cannot tell whether a bridge and a queue stand between. Pure.

use std::collections::BTreeMap;

use bytes::Bytes;
use redis_streams::Entry;
use serde::Serialize;

use super::{md5, trace};
use crate::sources::sqs::text::escape_json;

const START: &[u8] = b"{\"Records\":[";
const END: &[u8] = b"]}";

/// Bytes of an event without its records.
pub(super) const ENVELOPE: usize = START.len() + END.len();

/// Maximum bytes of a message with its attributes: the service's limit.
const MAX_MESSAGE: usize = 1_048_576;

/// Digits of the largest count of receives.
const MAX_DIGITS: usize = 10;

/// What follows the count of receives in a record.
const TAIL: &[u8] = b"\"}}";

/// `SenderId`, which the service fills with the id of the sender's account or role.
const SENDER: &str = "usher";

/// Why no message can represent an entry. The texts are those of stream-bridge.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("the name of a field is not UTF-8: {0}")]
    Name(std::str::Utf8Error),
    #[error("field {0:?} is not UTF-8: {1}")]
    Value(String, std::str::Utf8Error),
    #[error("field {0:?} occurs twice")]
    Repeated(String),
    #[error("{0} bytes with its attributes; SQS takes {MAX_MESSAGE}")]
    TooLarge(usize),
    #[error("it has no JSON: {0}")]
    Json(String),
}

/// An entry, ready to travel. The count of receives differs between attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EncodedEntry {
    before_count: Vec<u8>,
    after_count: Vec<u8>,
    /// The body of the message, for filters.
    pub(super) body: String,
}

impl EncodedEntry {
    /// Maximum bytes of its record within an event, comma included.
    pub(super) fn size(&self) -> usize {
        self.before_count.len() + MAX_DIGITS + self.after_count.len() + 1
    }
}

/// What is the same in all records of a source.
#[derive(Debug, Clone)]
pub(super) struct Origin {
    /// The stream's name in the body.
    pub(super) stream: String,
    /// `eventSourceARN`.
    pub(super) arn: String,
    pub(super) region: String,
}

#[derive(Serialize)]
struct Body<'a> {
    stream: &'a str,
    id: &'a str,
    fields: BTreeMap<&'a str, &'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    message_id: &'a str,
    receipt_handle: &'a str,
    body: &'a str,
    message_attributes: BTreeMap<&'a str, Attribute<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    md5_of_message_attributes: Option<String>,
    md5_of_body: String,
    event_source: &'static str,
    #[serde(rename = "eventSourceARN")]
    event_source_arn: &'a str,
    aws_region: &'a str,
    /// Last, with the count as its last field: the record is split there.
    attributes: SystemAttributes,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SystemAttributes {
    sender_id: &'static str,
    sent_timestamp: String,
    approximate_first_receive_timestamp: String,
    approximate_receive_count: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Attribute<'a> {
    string_value: &'a str,
    /// Reserved by the service.
    string_list_values: [&'a str; 0],
    binary_list_values: [&'a str; 0],
    data_type: &'static str,
}

/// Encodes an entry that was received at `now_ms`, milliseconds since 1970.
///
/// # Errors
/// No message can represent it.
pub(super) fn encode(
    entry: &Entry,
    origin: &Origin,
    now_ms: i64,
) -> Result<EncodedEntry, Unreadable> {
    let mut fields = BTreeMap::new();
    for (name, value) in &entry.fields {
        let name = std::str::from_utf8(name).map_err(Unreadable::Name)?;
        let value = std::str::from_utf8(value)
            .map_err(|error| Unreadable::Value(name.to_owned(), error))?;
        if fields.insert(name, value).is_some() {
            return Err(Unreadable::Repeated(name.to_owned()));
        }
    }
    let trace = fields.get(trace::FIELD).copied().and_then(trace::context);
    let id = entry.id.to_string();
    let body = Body {
        stream: &origin.stream,
        id: &id,
        fields,
    };
    let json = |error: serde_json::Error| Unreadable::Json(error.to_string());
    let body = escape_json(serde_json::to_string(&body).map_err(json)?);
    let attribute = trace.as_deref().map(|trace| (trace::FIELD, trace));
    let of_attribute = |(name, value): (&str, &str)| name.len() + "String".len() + value.len();
    let size = body.len() + attribute.map_or(0, of_attribute);
    if size > MAX_MESSAGE {
        return Err(Unreadable::TooLarge(size));
    }
    let record = Record {
        message_id: &id,
        receipt_handle: &id,
        body: &body,
        message_attributes: attribute.map(message_attribute).into_iter().collect(),
        md5_of_message_attributes: attribute.map(|attribute| md5::of_attributes(&[attribute])),
        md5_of_body: md5::of_body(&body),
        event_source: "aws:sqs",
        event_source_arn: &origin.arn,
        aws_region: &origin.region,
        attributes: SystemAttributes {
            sender_id: SENDER,
            sent_timestamp: entry.id.ms.to_string(),
            approximate_first_receive_timestamp: now_ms.to_string(),
            approximate_receive_count: "",
        },
    };
    let mut before_count = serde_json::to_vec(&record).map_err(json)?;
    let after_count = before_count.split_off(before_count.len() - TAIL.len());
    Ok(EncodedEntry {
        before_count,
        after_count,
        body,
    })
}

fn message_attribute<'a>((name, value): (&'a str, &'a str)) -> (&'a str, Attribute<'a>) {
    let attribute = Attribute {
        string_value: value,
        string_list_values: [],
        binary_list_values: [],
        data_type: "String",
    };
    (name, attribute)
}

/// Joins records to an event, each with its count of receives.
pub(super) fn event<'a>(records: impl IntoIterator<Item = (&'a EncodedEntry, u32)>) -> Bytes {
    let mut out = START.to_vec();
    let mut digits = itoa::Buffer::new();
    for (index, (record, receives)) in records.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(&record.before_count);
        out.extend_from_slice(digits.format(receives).as_bytes());
        out.extend_from_slice(&record.after_count);
    }
    out.extend_from_slice(END);
    Bytes::from(out)
}

#[cfg(test)]
#[path = "encode_tests.rs"]
mod tests;
