//! The document in an on-failure topic, and the record in it.
//!
//! Source: "Using a Kafka topic as an on-failure destination" in Lambda's guide: `payload` is the
//! event that failed. If it exceeded the topic's limit, `payloadOmitted` has the position of the
//! record (a field of this host's own).

use serde_json::Value;

use crate::sources::kafka::OriginalRecord;

/// The fields that a replay needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FailureDocument {
    pub(super) content: Content,
    pub(super) reason: String,
}

/// The record, or its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    Record(OriginalRecord),
    /// The record was too large for the destination. Its source topic has it until retention
    /// deletes it.
    Omitted {
        topic: String,
        partition: i32,
        offset: i64,
    },
}

impl Content {
    /// Source topic of the record.
    pub(super) fn topic(&self) -> &str {
        match self {
            Self::Record(original) => &original.topic,
            Self::Omitted { topic, .. } => topic,
        }
    }
}

/// `None`: not a failure document.
pub(super) fn parse(document: &[u8]) -> Option<FailureDocument> {
    let document: Value = strict_json::from_slice(document).ok()?;
    let reason = document["requestContext"]["condition"].as_str()?.to_owned();
    let content = if let Some(place) = document.get("payloadOmitted") {
        Content::Omitted {
            topic: place["topic"].as_str()?.to_owned(),
            partition: i32::try_from(place["partition"].as_i64()?).ok()?,
            offset: place["offset"].as_str()?.parse().ok()?,
        }
    } else {
        let records = document["payload"]["records"].as_object()?;
        Content::Record(OriginalRecord::parse(
            records.values().next()?.as_array()?.first()?,
        )?)
    };
    Some(FailureDocument { content, reason })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn record_and_reason_are_extracted() {
        let record = json!({
            "topic": "orders", "partition": 3, "offset": 41, "value": "aGk=", "headers": [],
        });
        let document = json!({
            "requestContext": {"condition": "RetriesExhausted"},
            "payload": {"records": {"orders-3": [record]}},
        });
        let document = parse(document.to_string().as_bytes()).unwrap();
        assert_eq!(
            (document.reason.as_str(), document.content.topic()),
            ("RetriesExhausted", "orders")
        );
        assert!(matches!(
            &document.content,
            Content::Record(record) if record.value.as_deref() == Some(b"hi")
        ));
        assert_eq!(parse(b"{}"), None);
        assert_eq!(parse(b"plain"), None);
    }

    #[test]
    fn an_omitted_payload_yields_its_position() {
        let place = json!({"topic": "orders", "partition": 3, "offset": "41"});
        let document =
            json!({"requestContext": {"condition": "RetriesExhausted"}, "payloadOmitted": place});
        let document = parse(document.to_string().as_bytes()).unwrap();
        assert_eq!(
            document.content,
            Content::Omitted {
                topic: "orders".into(),
                partition: 3,
                offset: 41
            }
        );
    }
}
