//! A record inside the document that an on-failure topic holds.
//!
//! Source: "Using a Kafka topic as an on-failure destination" in Lambda's guide: the document's `payload` is the event that failed,
//! whose records have keys and values in base64 and header values as arrays of signed bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// A record, as its topic had it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Original {
    pub(super) topic: String,
    pub(super) partition: i32,
    pub(super) key: Option<Vec<u8>>,
    pub(super) value: Option<Vec<u8>>,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) reason: String,
}

/// The record in a document; `None`: it is no such document.
pub(super) fn unwrapped(document: &[u8]) -> Option<Original> {
    let document: Value = serde_json::from_slice(document).ok()?;
    let reason = document["requestContext"]["condition"].as_str()?.to_owned();
    let records = document["payload"]["records"].as_object()?;
    let record = records.values().next()?.as_array()?.first()?;
    let bytes = |name: &str| match record.get(name) {
        None | Some(Value::Null) => Some(None),
        Some(text) => STANDARD.decode(text.as_str()?).ok().map(Some),
    };
    let headers = record.get("headers").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object).flatten();
    let header = |(name, bytes): (&String, &Value)| {
        let bytes = bytes.as_array()?.iter().map(|byte| byte.as_i64().map(|byte| byte as u8)).collect::<Option<Vec<u8>>>()?;
        Some((name.clone(), bytes))
    };
    Some(Original {
        topic: record["topic"].as_str()?.to_owned(),
        partition: i32::try_from(record["partition"].as_i64()?).ok()?,
        key: bytes("key")?,
        value: bytes("value")?,
        headers: headers.map(header).collect::<Option<_>>()?,
        reason,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn key_value_and_headers_come_back_byte_for_byte() {
        let record = json!({"topic": "orders", "partition": 3, "offset": 41, "key": "AP8=", "value": "aGk=", "headers": [{"trace": [65, -128]}]});
        let document =
            json!({"requestContext": {"condition": "RetriesExhausted"}, "payload": {"records": {"orders-3": [record]}}});
        let original = unwrapped(document.to_string().as_bytes()).unwrap();
        assert_eq!((original.topic.as_str(), original.partition), ("orders", 3));
        assert_eq!((original.key, original.value), (Some(vec![0, 255]), Some(b"hi".to_vec())));
        assert_eq!(original.headers, [("trace".to_owned(), vec![65, 128])]);
        assert_eq!(unwrapped(b"{}"), None);
        assert_eq!(unwrapped(b"plain"), None);
    }
}
