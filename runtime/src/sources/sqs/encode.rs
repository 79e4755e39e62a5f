//! Lambda's SQS event. A message is encoded as a record when it is received; an event joins
//! records.

use std::collections::BTreeMap;

use aws_sdk_sqs::types::{Message, MessageAttributeValue};
use bytes::Bytes;
use serde::Serialize;

const START: &[u8] = b"{\"Records\":[";
const END: &[u8] = b"]}";

/// Bytes of an event without its records.
pub(super) const ENVELOPE: usize = START.len() + END.len();

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    message_id: &'a str,
    receipt_handle: &'a str,
    body: &'a str,
    attributes: BTreeMap<&'a str, &'a str>,
    message_attributes: BTreeMap<&'a str, Attribute<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    md5_of_message_attributes: Option<&'a str>,
    md5_of_body: &'a str,
    event_source: &'static str,
    #[serde(rename = "eventSourceARN")]
    event_source_arn: &'a str,
    aws_region: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Attribute<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    string_value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    binary_value: Option<String>,
    /// Reserved by the service.
    string_list_values: [&'a str; 0],
    binary_list_values: [&'a str; 0],
    data_type: &'a str,
}

/// Encodes one record. `arn`: the queue's.
pub(super) fn record(message: &Message, arn: &str) -> Vec<u8> {
    let attributes = message
        .attributes()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let custom = message
        .message_attributes()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.as_str(), attribute(value)));
    let record = Record {
        message_id: message.message_id().unwrap_or_default(),
        receipt_handle: message.receipt_handle().unwrap_or_default(),
        body: message.body().unwrap_or_default(),
        attributes: attributes.collect(),
        message_attributes: custom.collect(),
        md5_of_message_attributes: message.md5_of_message_attributes(),
        md5_of_body: message.md5_of_body().unwrap_or_default(),
        event_source: "aws:sqs",
        event_source_arn: arn,
        aws_region: arn.split(':').nth(3).unwrap_or_default(),
    };
    // strings always serialise
    serde_json::to_vec(&record).unwrap_or_default()
}

fn attribute(value: &MessageAttributeValue) -> Attribute<'_> {
    Attribute {
        string_value: value.string_value(),
        binary_value: value
            .binary_value()
            .map(|bytes| base64_simd::STANDARD.encode_to_string(bytes)),
        string_list_values: [],
        binary_list_values: [],
        data_type: value.data_type(),
    }
}

/// Joins records to an event.
pub(super) fn event(records: &[Vec<u8>]) -> Bytes {
    let size = ENVELOPE + records.iter().map(|record| record.len() + 1).sum::<usize>();
    let mut out = Vec::with_capacity(size);
    out.extend_from_slice(START);
    for (index, record) in records.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(record);
    }
    out.extend_from_slice(END);
    Bytes::from(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_sqs::primitives::Blob;
    use aws_sdk_sqs::types::MessageSystemAttributeName;
    use serde_json::{Value, json};

    const ARN: &str = "arn:aws:sqs:eu-west-1:000000000000:orders";

    fn read(message: &Message) -> Value {
        let mut event: Value = serde_json::from_slice(&event(&[record(message, ARN)])).unwrap();
        event["Records"][0].take()
    }

    #[test]
    fn a_record_equals_the_services() {
        let attribute = |kind: &str| MessageAttributeValue::builder().data_type(kind);
        let message = Message::builder()
            .message_id("059f36b4")
            .receipt_handle("AQEB#1")
            .body("line\nand \"quotes\" \u{7} é")
            .md5_of_body("e4e6")
            .md5_of_message_attributes("a6b3")
            .attributes(MessageSystemAttributeName::ApproximateReceiveCount, "1")
            .attributes(MessageSystemAttributeName::MessageGroupId, "g")
            .message_attributes(
                "text",
                attribute("String").string_value("v").build().unwrap(),
            )
            .message_attributes(
                "bytes",
                attribute("Binary")
                    .binary_value(Blob::new([0, 255]))
                    .build()
                    .unwrap(),
            )
            .build();
        let expected = json!({
            "messageId": "059f36b4", "receiptHandle": "AQEB#1", "body": "line\nand \"quotes\" \
             \u{7} é",
            "attributes": { "ApproximateReceiveCount": "1", "MessageGroupId": "g" },
            "messageAttributes": {
                "text": {
                    "stringValue": "v", "stringListValues": [], "binaryListValues": [],
                    "dataType": "String",
                },
                "bytes": {
                    "binaryValue": "AP8=", "stringListValues": [], "binaryListValues": [],
                    "dataType": "Binary",
                },
            },
            "md5OfMessageAttributes": "a6b3", "md5OfBody": "e4e6",
            "eventSource": "aws:sqs", "eventSourceARN": ARN, "awsRegion": "eu-west-1",
        });
        assert_eq!(read(&message), expected);
    }

    #[test]
    fn a_message_without_attributes_has_empty_ones() {
        let message = read(&Message::builder().message_id("1").body("b").build());
        assert_eq!(
            (&message["attributes"], &message["messageAttributes"]),
            (&json!({}), &json!({}))
        );
        assert!(message.get("md5OfMessageAttributes").is_none());
    }

    #[test]
    fn records_are_joined_within_the_counted_size() {
        let records =
            ["1", "2", "3"].map(|id| record(&Message::builder().message_id(id).build(), ARN));
        let event = event(&records);
        let value: Value = serde_json::from_slice(&event).unwrap();
        let ids: Vec<&str> = value["Records"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| r["messageId"].as_str().unwrap())
            .collect();
        assert_eq!(ids, ["1", "2", "3"]);
        assert_eq!(
            event.len(),
            ENVELOPE + records.iter().map(|record| record.len() + 1).sum::<usize>() - 1
        );
    }
}
