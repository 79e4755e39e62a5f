//! Converts records to messages and groups these into calls.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rdkafka::message::{Message as _, OwnedMessage};
use sha2::{Digest as _, Sha256};

use crate::sqs::text::allowed;

/// Maximum size of a message and of a call in bytes: the lowest limit of any SQS server.
pub const MAX_BYTES: usize = 256 * 1024;

/// Maximum of messages in one call (SQS quota).
const MAX_MESSAGES: usize = 10;

/// Upper bound of the bytes that attributes add.
const ATTRIBUTES: usize = 1_024;

/// A message to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueMessage {
    /// The value of the record, in base64 if SQS does not allow it as text.
    pub body: String,
    /// The body is in base64.
    pub encoded: bool,
    /// `topic-partition-offset`; the deduplication id in a FIFO queue.
    pub id: String,
    /// Key, base64.
    pub key: Option<String>,
    /// Message group in a FIFO queue: derived from the key, or from the partition without a key.
    pub group: Option<String>,
}

/// Converts a record.
///
/// # Errors
/// The record is too large or empty.
pub fn message(record: &OwnedMessage, fifo: bool) -> Result<QueueMessage, String> {
    let value = record.payload().unwrap_or_default();
    let text = std::str::from_utf8(value)
        .ok()
        .filter(|text| !text.is_empty() && text.chars().all(allowed));
    let body = text.map_or_else(|| STANDARD.encode(value), str::to_owned);
    let id = format!(
        "{}-{}-{}",
        record.topic(),
        record.partition(),
        record.offset()
    );
    if body.len() + ATTRIBUTES + record.key().map_or(0, <[u8]>::len) * 2 > MAX_BYTES {
        return Err(format!(
            "record {id} has {} bytes, more than a queue takes; copy it by other means and commit \
             past it",
            value.len()
        ));
    }
    if body.is_empty() {
        return Err(format!(
            "record {id} is empty (a tombstone?), which no queue takes; commit past it"
        ));
    }
    let group = |record: &OwnedMessage| match record.key() {
        // hashed: SQS limits the length and the alphabet of groups
        Some(key) => hex::encode(Sha256::digest(key)),
        None => format!("partition-{}", record.partition()),
    };
    Ok(QueueMessage {
        encoded: text.is_none(),
        id,
        key: record.key().map(|key| STANDARD.encode(key)),
        group: fifo.then(|| group(record)),
        body,
    })
}

/// Groups messages into calls and keeps their order. A call has one message of a message group at
/// most: the queue could refuse the first of two and accept the second.
pub fn calls(messages: Vec<QueueMessage>) -> Vec<Vec<QueueMessage>> {
    let mut calls: Vec<Vec<QueueMessage>> = Vec::new();
    let mut bytes = 0;
    for message in messages {
        let size = message.body.len() + ATTRIBUTES + message.key.as_ref().map_or(0, String::len);
        let fits = calls.last().is_some_and(|call| {
            let same_group =
                message.group.is_some() && call.iter().any(|other| other.group == message.group);
            call.len() < MAX_MESSAGES && bytes + size <= MAX_BYTES && !same_group
        });
        if let Some(call) = calls.last_mut().filter(|_| fits) {
            bytes += size;
            call.push(message);
        } else {
            bytes = size;
            calls.push(vec![message]);
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    use rdkafka::Timestamp;

    use super::*;

    fn record(key: Option<&str>, value: &[u8]) -> OwnedMessage {
        let key = key.map(|key| key.as_bytes().to_vec());
        OwnedMessage::new(
            Some(value.to_vec()),
            key,
            "t".into(),
            Timestamp::NotAvailable,
            1,
            7,
            None,
        )
    }

    #[test]
    fn values_that_are_not_text_are_encoded() {
        let sent = message(&record(None, b"hi"), false).unwrap();
        assert_eq!(
            (
                sent.body.as_str(),
                sent.encoded,
                sent.id.as_str(),
                sent.group
            ),
            ("hi", false, "t-1-7", None)
        );
        for value in [&b"\xff\x00"[..], b"a\x00b"] {
            let sent = message(&record(None, value), false).unwrap();
            assert!(sent.encoded && STANDARD.decode(sent.body).unwrap() == value);
        }
        assert!(
            message(&record(None, &vec![b'x'; MAX_BYTES]), false)
                .unwrap_err()
                .contains("t-1-7")
        );
        assert!(
            message(&record(None, b""), false)
                .unwrap_err()
                .contains("empty")
        );
    }

    #[test]
    fn calls_keep_their_limits_and_groups_apart() {
        let keys = ["a", "b", "a", "c", "d"];
        let messages: Vec<QueueMessage> = keys
            .iter()
            .map(|key| message(&record(Some(key), b"x"), true).unwrap())
            .collect();
        let cut: Vec<usize> = calls(messages).iter().map(Vec::len).collect();
        assert_eq!(cut, [2, 3]);
        let plain = |count: usize, size: usize| {
            vec![message(&record(None, &vec![b'x'; size]), false).unwrap(); count]
        };
        assert_eq!(
            calls(plain(25, 1)).iter().map(Vec::len).collect::<Vec<_>>(),
            [10, 10, 5]
        );
        assert_eq!(
            calls(plain(3, 100_000))
                .iter()
                .map(Vec::len)
                .collect::<Vec<_>>(),
            [2, 1]
        );
    }
}
