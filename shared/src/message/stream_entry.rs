//! `StreamEntry`: an entry of a Redis stream, forwarded through a queue.

use std::collections::BTreeMap;

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Body of an SQS message from stream-bridge, at least once: repeats have equal `stream` and `id`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct StreamEntry {
    /// Name of the stream, without the environment prefix.
    #[cfg_attr(test, schemars(length(min = 1)))]
    pub stream: String,
    /// Identity of the entry in its stream, `milliseconds-number`, ascending.
    #[cfg_attr(test, schemars(regex(pattern = r"^[0-9]+-[0-9]+$")))]
    pub id: String,
    /// Its fields.
    pub fields: BTreeMap<String, String>,
}

impl StreamEntry {
    /// The field with the W3C trace context of the change, if it has one.
    pub const TRACE_FIELD: &str = "traceparent";

    /// The value of a field.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    /// JSON for SQS. JSON escapes all characters that SQS refuses, except two, which are escaped
    /// here.
    pub fn to_body(&self) -> Result<String, serde_json::Error> {
        let body = serde_json::to_string(self)?;
        if body.contains(['\u{fffe}', '\u{ffff}']) {
            return Ok(body
                .replace('\u{fffe}', r"\ufffe")
                .replace('\u{ffff}', r"\uffff"));
        }
        Ok(body)
    }
}

#[cfg(test)]
#[path = "stream_entry_tests.rs"]
mod tests;
