//! Converts records to messages and groups these into calls.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rdkafka::message::{Message as _, OwnedMessage};
use sha2::{Digest as _, Sha256};

use super::RecordError;
use crate::sources::sqs::OutgoingMessage;
use crate::sources::sqs::text::allowed;

/// Maximum size of a message and of a call in bytes: the lowest limit of any SQS server.
const MAX_BYTES: usize = 256 * 1024;

/// Maximum of messages in one call (SQS quota).
const MAX_MESSAGES: usize = 10;

/// Upper bound of the bytes that the attributes add, except the key's text.
const ATTRIBUTES: usize = 1_024;

/// Converts a record. Its attributes are `record` (`topic-partition-offset`, also the deduplication
/// id in a FIFO queue), `key` (base64) and, if SQS does not allow the value as text, `encoding`.
///
/// # Errors
/// The record is too large or empty.
pub(super) fn message(record: &OwnedMessage, fifo: bool) -> Result<OutgoingMessage, RecordError> {
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
        return Err(RecordError::TooLarge {
            record: id,
            bytes: value.len(),
        });
    }
    if body.is_empty() {
        return Err(RecordError::Empty(id));
    }
    let group = || match record.key() {
        // hashed: SQS limits the length and the alphabet of groups
        Some(key) => hex::encode(Sha256::digest(key)),
        None => format!("partition-{}", record.partition()),
    };
    let mut attributes = vec![("record", id.clone())];
    attributes.extend(record.key().map(|key| ("key", STANDARD.encode(key))));
    attributes.extend(text.is_none().then(|| ("encoding", "base64".to_owned())));
    Ok(OutgoingMessage {
        group: fifo.then(group),
        deduplication: fifo.then_some(id),
        attributes,
        body,
    })
}

/// Groups messages into calls and keeps their order. A call has one message of a message group at
/// most: the queue could refuse the first of two and accept the second.
pub(super) fn calls(messages: Vec<OutgoingMessage>) -> Vec<Vec<OutgoingMessage>> {
    let mut calls: Vec<Vec<OutgoingMessage>> = Vec::new();
    let mut bytes = 0;
    for message in messages {
        let key = message.attributes.iter().find(|(name, _)| *name == "key");
        let key = key.map_or(0, |(_, text)| text.len());
        let size = message.body.len() + ATTRIBUTES + key;
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
            (sent.body.as_str(), sent.attributes, sent.group),
            ("hi", vec![("record", "t-1-7".to_owned())], None)
        );
        for value in [&b"\xff\x00"[..], b"a\x00b"] {
            let sent = message(&record(None, value), false).unwrap();
            assert!(sent.attributes.contains(&("encoding", "base64".to_owned())));
            assert_eq!(STANDARD.decode(sent.body).unwrap(), value);
        }
        assert!(
            message(&record(None, &vec![b'x'; MAX_BYTES]), false)
                .unwrap_err()
                .to_string()
                .contains("t-1-7")
        );
        assert!(
            message(&record(None, b""), false)
                .unwrap_err()
                .to_string()
                .contains("empty")
        );
    }

    #[test]
    fn calls_keep_their_limits_and_groups_apart() {
        let keys = ["a", "b", "a", "c", "d"];
        let messages: Vec<OutgoingMessage> = keys
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
        let half = calls(plain(2, MAX_BYTES / 2 - ATTRIBUTES));
        assert_eq!(half.len(), 1, "the attributes count once");
    }
}
