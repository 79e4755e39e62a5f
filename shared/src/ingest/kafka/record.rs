//! One record, borrowed from its batch.

use serde::de::DeserializeOwned;

use super::batch::Header;

/// A key or a value as it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload<'a> {
    /// Its bytes.
    Bytes(&'a [u8]),
    /// Kafka's null: no key, or a tombstone.
    Null,
    /// The event did not hold base64 here.
    Bad {
        /// The text as it stood in the event, so that it can be parked; empty where it was no text at all.
        raw: &'a [u8],
        /// What is wrong.
        reason: &'static str,
    },
}

impl<'a> Payload<'a> {
    /// What there is to keep aside: the bytes, or the raw text of what could not be decoded. Nothing for null.
    pub const fn to_park(self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) | Self::Bad { raw: bytes, .. } => Some(bytes),
            Self::Null => None,
        }
    }
}

/// One record of a [`Batch`](super::Batch).
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// Its topic.
    pub topic: &'a str,
    /// Its partition.
    pub partition: i32,
    /// Its offset. Offsets have gaps.
    pub offset: i64,
    /// Milliseconds since 1970, as the topic stamps records; nothing where the event has none (-1 counts as none).
    pub timestamp_ms: Option<i64>,
    /// Its key.
    pub key: Payload<'a>,
    /// Its value.
    pub value: Payload<'a>,
    pub(super) bytes: &'a [u8],
    pub(super) headers: &'a [Header],
}

/// Why a value is not the JSON that was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadContent {
    /// Null.
    #[error("no value: a tombstone where a message was expected")]
    Tombstone,
    /// Not base64.
    #[error("the event holds no base64 here: {0}")]
    Encoding(&'static str),
    /// Not UTF-8.
    #[error("not UTF-8 at byte {0}")]
    Utf8(usize),
    /// A NUL in text, which Postgres cannot hold.
    #[error("text with NUL")]
    Nul,
    /// Not JSON, or JSON of another shape.
    #[error("not a valid message: {0}")]
    Json(String),
}

impl<'a> Record<'a> {
    /// Its headers, in order. One without value, or whose value is no list of bytes, is left out.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        let bytes = self.bytes;
        self.headers.iter().map(move |h| (str::from_utf8(&bytes[h.name.clone()]).unwrap_or_default(), &bytes[h.value.clone()]))
    }

    /// The last header of a name; Kafka allows several.
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.headers().filter(|(n, _)| *n == name).last().map(|(_, value)| value)
    }

    /// The value as a message in JSON. Refuses, with a reason for people, what is not UTF-8, not JSON, of another shape, or has a
    /// NUL anywhere in its text.
    pub fn parse_json<T: DeserializeOwned>(&self) -> Result<T, BadContent> {
        let bytes = match self.value {
            Payload::Bytes(bytes) => bytes,
            Payload::Null => return Err(BadContent::Tombstone),
            Payload::Bad { reason, .. } => return Err(BadContent::Encoding(reason)),
        };
        let text = str::from_utf8(bytes).map_err(|e| BadContent::Utf8(e.valid_up_to()))?;
        if has_nul(text) {
            return Err(BadContent::Nul);
        }
        serde_json::from_str(text).map_err(|e| BadContent::Json(e.to_string()))
    }
}

/// Whether JSON text holds a NUL, bare or escaped. `\\u0000` is a backslash followed by `u0000`, not a NUL.
fn has_nul(json: &str) -> bool {
    let escaped = |at: usize| json.as_bytes()[..at].iter().rev().take_while(|b| **b == b'\\').count() % 2 == 0;
    json.contains('\0') || json.match_indices("\\u0000").any(|(at, _)| escaped(at))
}
