//! A record, borrowed from its batch.

use serde::de::DeserializeOwned;

use super::batch::HeaderSpans;
use crate::content::{self, BadContent};

/// A key or a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload<'a> {
    /// The decoded bytes.
    Bytes(&'a [u8]),
    /// Null: no key, or a tombstone.
    Null,
    /// Not base64.
    Bad {
        /// The text in the event, so that it can be parked; empty if it was not text.
        raw: &'a [u8],
        /// The problem.
        reason: &'static str,
    },
}

impl<'a> Payload<'a> {
    /// What to store when the record is parked: the bytes, or the raw text if it could not be
    /// decoded. `None` for null.
    pub const fn to_park(self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) | Self::Bad { raw: bytes, .. } => Some(bytes),
            Self::Null => None,
        }
    }
}

/// One record of a [`KafkaBatch`](super::KafkaBatch).
#[derive(Debug, Clone, Copy)]
pub struct KafkaRecord<'a> {
    /// Its topic.
    pub topic: &'a str,
    /// Its partition.
    pub partition: i32,
    /// Its offset. Offsets may have gaps.
    pub offset: i64,
    /// Its time, milliseconds since 1970; `None` if the event has none or -1.
    pub timestamp_ms: Option<i64>,
    /// Its key.
    pub key: Payload<'a>,
    /// Its value.
    pub value: Payload<'a>,
    pub(super) bytes: &'a [u8],
    pub(super) headers: &'a [HeaderSpans],
}

impl<'a> KafkaRecord<'a> {
    /// Its headers, in order. Headers without a list of bytes are left out.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        let bytes = self.bytes;
        self.headers.iter().map(move |h| {
            (
                str::from_utf8(&bytes[h.name.clone()]).unwrap_or_default(),
                &bytes[h.value.clone()],
            )
        })
    }

    /// The last header of a name: Kafka allows several.
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.headers()
            .filter(|(n, _)| *n == name)
            .last()
            .map(|(_, value)| value)
    }

    /// The value as a message in JSON.
    ///
    /// # Errors
    /// If it is a tombstone, not base64, UTF-8 or JSON, of another shape, or has a NUL in its text.
    pub fn parse_json<T: DeserializeOwned>(&self) -> Result<T, BadContent> {
        let bytes = match self.value {
            Payload::Bytes(bytes) => bytes,
            Payload::Null => return Err(BadContent::Tombstone),
            Payload::Bad { reason, .. } => return Err(BadContent::Encoding(reason)),
        };
        let text = str::from_utf8(bytes).map_err(|e| BadContent::Utf8(e.valid_up_to()))?;
        content::parse_json(text)
    }
}
