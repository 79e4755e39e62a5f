//! A record inside the document that an on-failure topic holds.
//!
//! Source: "Using a Kafka topic as an on-failure destination" in Lambda's guide: the document's `payload` is the event that failed.
//! Where that was too large for the topic, `payloadOmitted` says where the record stands (this host's own field).

use serde_json::Value;

use crate::kafka::Original;

/// What a document says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrapped {
    pub(super) content: Content,
    pub(super) reason: String,
}

/// The record of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// Here it is.
    Record(Original),
    /// It was too large; it stands in its topic, as long as the topic keeps it.
    Elsewhere {
        topic: String,
        partition: i32,
        offset: i64,
    },
}

impl Content {
    /// Topic that the record came from.
    pub(super) fn topic(&self) -> &str {
        match self {
            Self::Record(original) => &original.topic,
            Self::Elsewhere { topic, .. } => topic,
        }
    }
}

/// The record in a document; `None`: it is no such document.
pub(super) fn unwrapped(document: &[u8]) -> Option<Wrapped> {
    let document: Value = strict_json::from_slice(document).ok()?;
    let reason = document["requestContext"]["condition"].as_str()?.to_owned();
    let content = if let Some(place) = document.get("payloadOmitted") {
        Content::Elsewhere {
            topic: place["topic"].as_str()?.to_owned(),
            partition: i32::try_from(place["partition"].as_i64()?).ok()?,
            offset: place["offset"].as_str()?.parse().ok()?,
        }
    } else {
        let records = document["payload"]["records"].as_object()?;
        Content::Record(Original::read(
            records.values().next()?.as_array()?.first()?,
        )?)
    };
    Some(Wrapped { content, reason })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_gives_its_record_and_reason_and_anything_else_is_none() {
        let record = json!({"topic": "orders", "partition": 3, "offset": 41, "value": "aGk=", "headers": []});
        let document = json!({"requestContext": {"condition": "RetriesExhausted"}, "payload": {"records": {"orders-3": [record]}}});
        let wrapped = unwrapped(document.to_string().as_bytes()).unwrap();
        assert_eq!(
            (wrapped.reason.as_str(), wrapped.content.topic()),
            ("RetriesExhausted", "orders")
        );
        assert!(
            matches!(wrapped.content, Content::Record(original) if original.value.as_deref() == Some(b"hi"))
        );
        assert_eq!(unwrapped(b"{}"), None);
        assert_eq!(unwrapped(b"plain"), None);
    }

    #[test]
    fn a_document_without_its_payload_gives_the_place() {
        let place = json!({"topic": "orders", "partition": 3, "offset": "41"});
        let document =
            json!({"requestContext": {"condition": "RetriesExhausted"}, "payloadOmitted": place});
        let wrapped = unwrapped(document.to_string().as_bytes()).unwrap();
        assert_eq!(
            wrapped.content,
            Content::Elsewhere {
                topic: "orders".into(),
                partition: 3,
                offset: 41
            }
        );
    }
}
