//! The record of an entry.

use redis_streams::EntryId;
use serde_json::{Value, json};

use super::*;

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn origin() -> Origin {
    Origin {
        stream: "program-changed".to_owned(),
        arn: "arn:aws:sqs:eu-west-1:000000000000:Changes".to_owned(),
        region: "eu-west-1".to_owned(),
    }
}

fn entry(fields: &[(&[u8], &[u8])]) -> Entry {
    let field = |(name, value): &(&[u8], &[u8])| (name.to_vec(), value.to_vec());
    Entry {
        id: EntryId {
            ms: 1_795_372_200_000,
            seq: 3,
        },
        fields: fields.iter().map(field).collect(),
    }
}

fn read(encoded: &[(&EncodedEntry, u32)]) -> Value {
    serde_json::from_slice(&event(encoded.iter().copied())).unwrap()
}

#[test]
fn a_record_equals_that_of_the_bridges_message() {
    let entry = entry(&[(b"traceparent", TRACE.as_bytes()), (b"id", b"17")]);
    let encoded = encode(&entry, &origin(), 1_795_372_200_007).unwrap();
    // the body is the one that stream-bridge's tests expect of this entry
    let fields = format!(r#"{{"id":"17","traceparent":"{TRACE}"}}"#);
    let body =
        format!(r#"{{"stream":"program-changed","id":"1795372200000-3","fields":{fields}}}"#);
    let expected = json!({
        "messageId": "1795372200000-3", "receiptHandle": "1795372200000-3", "body": body,
        "attributes": {
            "ApproximateReceiveCount": "12", "SentTimestamp": "1795372200000",
            "SenderId": "usher", "ApproximateFirstReceiveTimestamp": "1795372200007",
        },
        "messageAttributes": { "traceparent": {
            "stringValue": TRACE, "stringListValues": [], "binaryListValues": [],
            "dataType": "String",
        } },
        "md5OfMessageAttributes": "120017706e835176cc391fbb5520ed06",
        "md5OfBody": "7a9f6ee487d9f96837175604f63395de",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-west-1:000000000000:Changes",
        "awsRegion": "eu-west-1",
    });
    assert_eq!(read(&[(&encoded, 12)])["Records"], json!([expected]));
}

#[test]
fn an_invalid_trace_is_no_attribute() {
    let encoded = encode(&entry(&[(b"traceparent", b"nonsense")]), &origin(), 0).unwrap();
    let record = &read(&[(&encoded, 1)])["Records"][0];
    assert_eq!(record["messageAttributes"], json!({}));
    assert!(record.get("md5OfMessageAttributes").is_none());
}

#[test]
fn records_are_joined_within_the_counted_size() {
    let encoded = encode(&entry(&[(b"a", b"\"\n")]), &origin(), 0).unwrap();
    let event = event([(&encoded, u32::MAX), (&encoded, u32::MAX)]);
    assert_eq!(event.len(), ENVELOPE + 2 * encoded.size() - 1);
    let records: Value = serde_json::from_slice(&event).unwrap();
    assert_eq!(records["Records"].as_array().map(Vec::len), Some(2));
}

#[test]
fn characters_that_sqs_refuses_are_escaped() {
    let encoded = encode(&entry(&[(b"a", "\u{ffff}\u{0}".as_bytes())]), &origin(), 0).unwrap();
    assert!(encoded.body.contains(r"\uffff\u0000"), "{}", encoded.body);
}

#[test]
fn an_entry_without_a_message_has_a_reason() {
    let large = vec![b'x'; MAX_MESSAGE];
    for (entry, why) in [
        (entry(&[(b"a", b"\xff")]), "field \"a\" is not UTF-8"),
        (
            entry(&[(b"\xff", b"a")]),
            "the name of a field is not UTF-8",
        ),
        (
            entry(&[(b"a", b"1"), (b"a", b"2")]),
            "field \"a\" occurs twice",
        ),
        (entry(&[(b"a", &large)]), "SQS takes 1048576"),
    ] {
        let reason = encode(&entry, &origin(), 0).unwrap_err().to_string();
        assert!(reason.contains(why), "{reason}");
    }
}
