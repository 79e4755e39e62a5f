//! Parses a record from the JSON of an event: for records that are discarded or replayed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rdkafka::message::OwnedHeaders;
use serde_json::Value;

use crate::destinations::owned_headers;

/// A record with the bytes that its topic has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OriginalRecord {
    pub(crate) topic: String,
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
}

impl OriginalRecord {
    /// `None`: not a record of an event.
    pub(crate) fn parse(record: &Value) -> Option<Self> {
        let bytes = |name: &str| match record.get(name) {
            None | Some(Value::Null) => Some(None),
            Some(text) => STANDARD.decode(text.as_str()?).ok().map(Some),
        };
        let each = record
            .get("headers")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_object)
            .flatten();
        let header = |(name, bytes): (&String, &Value)| {
            // signed bytes, as in Java
            let bytes: Option<Vec<u8>> = bytes
                .as_array()?
                .iter()
                .map(|byte| byte.as_i64().map(|byte| byte as u8))
                .collect();
            Some((name.clone(), bytes?))
        };
        Some(Self {
            topic: record.get("topic")?.as_str()?.to_owned(),
            partition: i32::try_from(record.get("partition")?.as_i64()?).ok()?,
            offset: record.get("offset")?.as_i64()?,
            key: bytes("key")?,
            value: bytes("value")?,
            headers: each.map(header).collect::<Option<_>>()?,
        })
    }

    /// Headers for a producer; `None` if there are none.
    pub(crate) fn headers(&self) -> Option<OwnedHeaders> {
        owned_headers(&self.headers)
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::message::Headers as _;
    use serde_json::json;

    use super::*;

    #[test]
    fn key_value_and_headers_are_decoded_unchanged() {
        let mut record = json!({
            "topic": "orders", "partition": 3, "offset": 41, "key": "AP8=", "value": "aGk=",
            "headers": [{"trace": [65, -128]}],
        });
        let original = OriginalRecord::parse(&record).unwrap();
        assert_eq!(
            (original.topic.as_str(), original.partition, original.offset),
            ("orders", 3, 41)
        );
        let headers = original.headers().unwrap();
        assert_eq!(
            (headers.get(0).key, headers.get(0).value),
            ("trace", Some(&[65, 128][..]))
        );
        assert_eq!(
            (original.key, original.value),
            (Some(vec![0, 255]), Some(b"hi".to_vec()))
        );
        record["headers"] = json!([]);
        assert!(OriginalRecord::parse(&record).unwrap().headers().is_none());
        record["key"] = json!("not base64!");
        assert_eq!(OriginalRecord::parse(&record), None);
    }
}
