//! A record inside the document that an on-failure topic holds.
//!
//! Source: "Using a Kafka topic as an on-failure destination" in Lambda's guide: the document's `payload` is the event that failed.

use serde_json::Value;

use crate::kafka::Original;

/// What a document tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrapped {
    pub(super) original: Original,
    pub(super) reason: String,
}

/// The record in a document; `None`: it is no such document.
pub(super) fn unwrapped(document: &[u8]) -> Option<Wrapped> {
    let document: Value = serde_json::from_slice(document).ok()?;
    let reason = document["requestContext"]["condition"].as_str()?.to_owned();
    let records = document["payload"]["records"].as_object()?;
    let original = Original::read(records.values().next()?.as_array()?.first()?)?;
    Some(Wrapped { original, reason })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_gives_its_record_and_reason_and_anything_else_is_none() {
        let record = json!({"topic": "orders", "partition": 3, "offset": 41, "value": "aGk=", "headers": []});
        let document =
            json!({"requestContext": {"condition": "RetriesExhausted"}, "payload": {"records": {"orders-3": [record]}}});
        let wrapped = unwrapped(document.to_string().as_bytes()).unwrap();
        assert_eq!((wrapped.reason.as_str(), wrapped.original.topic.as_str()), ("RetriesExhausted", "orders"));
        assert_eq!(wrapped.original.value.as_deref(), Some(&b"hi"[..]));
        assert_eq!(unwrapped(b"{}"), None);
        assert_eq!(unwrapped(b"plain"), None);
    }
}
