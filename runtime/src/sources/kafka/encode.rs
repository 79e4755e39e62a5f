//! Encodes Lambda's Kafka event: each record directly from librdkafka's memory into one buffer.

use std::io::Write;

use kafka_headers::Header;
use rdkafka::Timestamp;
use rdkafka::message::Message;
use sam_template::model::{KafkaKind, KafkaMapping};

/// The beginning of each record of a partition, up to its offset.
pub(super) fn record_start(topic: &str, partition: i32) -> Vec<u8> {
    let mut out = b"{\"topic\":".to_vec();
    text(topic, &mut out);
    out.extend_from_slice(b",\"partition\":");
    number(partition, &mut out);
    out.extend_from_slice(b",\"offset\":");
    out
}

/// Appends `message` as one element of the event's array. `start`: its partition's
/// [`record_start`].
///
/// A null key or value is omitted, as by the service. Header bytes are signed, as in Java. Names
/// are decoded as by Java: U+FFFD replaces invalid UTF-8.
pub(super) fn record(
    start: &[u8],
    message: &impl Message,
    headers: &[Header<'_>],
    out: &mut Vec<u8>,
) {
    let (timestamp, kind) = match message.timestamp() {
        Timestamp::CreateTime(at) => (at, "CREATE_TIME"),
        Timestamp::LogAppendTime(at) => (at, "LOG_APPEND_TIME"),
        Timestamp::NotAvailable => (-1, "NO_TIMESTAMP_TYPE"),
    };
    out.extend_from_slice(start);
    number(message.offset(), out);
    out.extend_from_slice(b",\"timestamp\":");
    number(timestamp, out);
    out.extend_from_slice(b",\"timestampType\":\"");
    out.extend_from_slice(kind.as_bytes());
    out.push(b'"');
    base64_field(b",\"key\":\"", message.key(), out);
    base64_field(b",\"value\":\"", message.payload(), out);
    out.extend_from_slice(b",\"headers\":[");
    for (index, header) in headers.iter().enumerate() {
        out.extend_from_slice(if index > 0 { b",{" } else { b"{" });
        text(&String::from_utf8_lossy(header.name), out);
        out.extend_from_slice(b":[");
        for (index, byte) in header.value.unwrap_or_default().iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            number(byte.cast_signed(), out);
        }
        out.extend_from_slice(b"]}");
    }
    out.extend_from_slice(b"]}");
}

fn number(number: impl itoa::Integer, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// `before`: comma, name, colon and opening quote.
fn base64_field(before: &[u8], bytes: Option<&[u8]>, out: &mut Vec<u8>) {
    if let Some(bytes) = bytes {
        out.extend_from_slice(before);
        base64_simd::STANDARD.encode_append(bytes, out);
        out.push(b'"');
    }
}

fn text(text: &str, out: &mut Vec<u8>) {
    // writing a string to a Vec cannot fail
    let _ = serde_json::to_writer(out, text);
}

/// The event up to the first partition.
pub(super) fn envelope(mapping: &KafkaMapping) -> Vec<u8> {
    let mut out = Vec::new();
    match &mapping.kind {
        KafkaKind::SelfManaged => out.extend_from_slice(b"{\"eventSource\":\"SelfManagedKafka\""),
        KafkaKind::Msk { arn } => {
            out.extend_from_slice(b"{\"eventSource\":\"aws:kafka\",\"eventSourceArn\":");
            text(arn, &mut out);
        }
    }
    out.extend_from_slice(b",\"bootstrapServers\":");
    text(&mapping.bootstrap_servers, &mut out);
    out.extend_from_slice(b",\"records\":{");
    out
}

/// The end of an event that [`envelope`] began.
pub(super) const EVENT_END: &[u8] = b"}}";

/// `"topic-0":[`, after a comma unless it is the first.
pub(super) fn partition_start(topic: &str, number: i32, first: bool, out: &mut Vec<u8>) {
    if !first {
        out.push(b',');
    }
    // a topic name (ASCII letters, digits, '.', '_', '-') needs no escape; writing to a Vec cannot
    // fail
    let _ = write!(out, "\"{topic}-{number}\":[");
}

/// The end of an array that [`partition_start`] began.
pub(super) const PARTITION_END: u8 = b']';

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::message::OwnedMessage;
    use serde_json::{Value, json};

    fn encoded(message: &OwnedMessage, headers: &[Header<'_>]) -> Value {
        let mut out = Vec::new();
        record(
            &record_start(message.topic(), message.partition()),
            message,
            headers,
            &mut out,
        );
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn a_record_has_the_services_format() {
        let headers = [
            Header {
                name: b"trace",
                value: Some(&[0x41, 0x80, 0xff]),
            },
            Header {
                name: b"empty \"quoted\"",
                value: None,
            },
            Header {
                name: b"tr\xe4ce",
                value: Some(b""),
            },
        ];
        let message = OwnedMessage::new(
            Some(b"hello".to_vec()),
            Some(vec![0, 255]),
            "orders.v1".into(),
            Timestamp::LogAppendTime(1_545_084_650_987),
            3,
            15,
            None,
        );
        let expected = json!({
            "topic": "orders.v1", "partition": 3, "offset": 15,
            "timestamp": 1_545_084_650_987_i64, "timestampType": "LOG_APPEND_TIME",
            "key": "AP8=", "value": "aGVsbG8=",
            "headers": [{"trace": [65, -128, -1]}, {"empty \"quoted\"": []}, {"tr\u{fffd}ce": []}],
        });
        assert_eq!(encoded(&message, &headers), expected);
    }

    #[test]
    fn null_keys_and_values_are_omitted() {
        let message =
            OwnedMessage::new(None, None, "t".into(), Timestamp::NotAvailable, 0, 1, None);
        let expected = json!({
            "topic": "t", "partition": 0, "offset": 1, "timestamp": -1,
            "timestampType": "NO_TIMESTAMP_TYPE", "headers": [],
        });
        assert_eq!(encoded(&message, &[]), expected);
    }
}
