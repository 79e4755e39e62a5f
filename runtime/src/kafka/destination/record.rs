//! A record's key and headers, out of the JSON that was made of it: needed for the rare record that is given up.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rdkafka::message::{Header, OwnedHeaders};
use serde_json::Value;

/// What a copy of a record shares with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::kafka) struct Original {
    pub(super) key: Option<Vec<u8>>,
    headers: Vec<(String, Vec<u8>)>,
    /// Offset, as the document names it.
    pub(super) offset: i64,
}

impl Original {
    /// Reads one record of an event. `None`: it is not one.
    pub(super) fn read(record: &Value) -> Option<Self> {
        let key = record.get("key").and_then(Value::as_str).map(|text| STANDARD.decode(text)).transpose().ok()?;
        let each = record.get("headers")?.as_array()?.iter().filter_map(Value::as_object).flatten();
        let headers = each.map(|(name, bytes)| {
            // written signed, as Java sees them
            let bytes = bytes.as_array().into_iter().flatten().filter_map(Value::as_i64).map(|byte| byte as u8);
            (name.clone(), bytes.collect())
        });
        Some(Self { key, headers: headers.collect(), offset: record.get("offset")?.as_i64()? })
    }

    pub(super) fn headers(&self) -> OwnedHeaders {
        self.headers.iter().fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: Some(value) }))
    }
}
