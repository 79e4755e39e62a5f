//! Records as messages, and which of them travel together.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rdkafka::message::{Message as _, OwnedMessage};
use sha2::{Digest as _, Sha256};

use crate::sqs::text::allowed;

/// Bytes of one message, and of one call: what every SQS takes.
pub const MOST_BYTES: usize = 256 * 1024;

/// Messages of one call at most.
const MOST_MESSAGES: usize = 10;

/// Bytes that attributes add, generously.
const ATTRIBUTES: usize = 1_024;

/// A message to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Body: the record's value as it is, or in base64 where a queue would not take it as text.
    pub body: String,
    /// `base64` if the body is.
    pub encoded: bool,
    /// `topic-partition-offset`; deduplicates in a FIFO queue.
    pub id: String,
    /// Key, base64.
    pub key: Option<String>,
    /// Message group of a FIFO queue: of the key, or the partition where there is none.
    pub group: Option<String>,
}

/// The message that a record becomes.
///
/// # Errors
/// It is too large.
pub fn message(record: &OwnedMessage, fifo: bool) -> Result<Outgoing, String> {
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
    if body.len() + ATTRIBUTES + record.key().map_or(0, <[u8]>::len) * 2 > MOST_BYTES {
        return Err(format!(
            "record {id} has {} bytes, more than a queue takes; copy it by other means and commit past it",
            value.len()
        ));
    }
    if body.is_empty() {
        return Err(format!(
            "record {id} is empty (a tombstone?), which no queue takes; commit past it"
        ));
    }
    let group = |record: &OwnedMessage| match record.key() {
        // groups are limited in length and alphabet
        Some(key) => hex::encode(Sha256::digest(key)),
        None => format!("partition-{}", record.partition()),
    };
    Ok(Outgoing {
        encoded: text.is_none(),
        id,
        key: record.key().map(|key| STANDARD.encode(key)),
        group: fifo.then(|| group(record)),
        body,
    })
}

/// Cuts messages into calls, in order. A group is at most once in a call: of two, the first could be refused and the second taken.
pub fn calls(messages: Vec<Outgoing>) -> Vec<Vec<Outgoing>> {
    let mut calls: Vec<Vec<Outgoing>> = Vec::new();
    let mut bytes = 0;
    for message in messages {
        let size = message.body.len() + ATTRIBUTES + message.key.as_ref().map_or(0, String::len);
        let fits = calls.last().is_some_and(|call| {
            let twin =
                message.group.is_some() && call.iter().any(|other| other.group == message.group);
            call.len() < MOST_MESSAGES && bytes + size <= MOST_BYTES && !twin
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
    fn what_is_no_text_travels_in_base64_and_what_is_too_large_does_not() {
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
            message(&record(None, &vec![b'x'; MOST_BYTES]), false)
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
    fn a_group_is_once_in_a_call_and_a_call_within_its_limits() {
        let keys = ["a", "b", "a", "c", "d"];
        let messages: Vec<Outgoing> = keys
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
