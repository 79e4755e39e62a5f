//! The content of a record as a message in JSON.

use serde::de::DeserializeOwned;

/// Why a record's content is not the JSON that was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadContent {
    /// Null.
    #[error("no value: a tombstone where a message was expected")]
    Tombstone,
    /// Not base64.
    #[error("the event holds no base64 here: {0}")]
    Encoding(&'static str),
    /// No text.
    #[error("the message has no body: {0}")]
    Body(&'static str),
    /// Not UTF-8.
    #[error("not UTF-8 at byte {0}")]
    Utf8(usize),
    /// A NUL in text, which Postgres cannot hold.
    #[error("text with NUL")]
    Nul,
    /// Not JSON, or JSON of another shape.
    #[error("not a valid message: {0}")]
    Json(String),
}

/// Refuses, with a reason for people, what is not JSON, of another shape, or has a NUL anywhere in its text.
pub(super) fn parse_json<T: DeserializeOwned>(text: &str) -> Result<T, BadContent> {
    if has_nul(text) {
        return Err(BadContent::Nul);
    }
    strict_json::from_str(text).map_err(|e| BadContent::Json(e.to_string()))
}

/// Whether JSON text holds a NUL, bare or escaped. `\\u0000` is a backslash followed by `u0000`, not a NUL.
fn has_nul(json: &str) -> bool {
    let escaped = |at: usize| {
        json.as_bytes()[..at]
            .iter()
            .rev()
            .take_while(|b| **b == b'\\')
            .count()
            % 2
            == 0
    };
    json.contains('\0') || json.match_indices("\\u0000").any(|(at, _)| escaped(at))
}

#[cfg(test)]
mod tests {
    use crate::message::{ApiCall, OrderRequested, StreamEntry};

    use super::*;

    fn refused<T: DeserializeOwned>(array: &str) {
        let text = parse_json::<T>(array)
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default();
        assert!(text.contains("invalid type: sequence"), "{array}: {text}");
    }

    #[test]
    fn an_array_is_no_message() {
        let nonce = "00".repeat(16);
        let hash = "ab".repeat(32);
        refused::<OrderRequested>(&format!(
            r#"[1,"381265920001048577","{nonce}","alice","17",0,[4,5],2500,5000,"k-1","{hash}",1795000000000,null]"#
        ));
        refused::<ApiCall>(&format!(
            r#"[1,"{nonce}",1795000000000,"GET","/orders","/orders?wait=2",200,1834,"curl","alice","192.0.2.7",null,"i"]"#
        ));
        for empty in ["[]", "[[]]"] {
            refused::<OrderRequested>(empty);
            refused::<ApiCall>(empty);
            refused::<StreamEntry>(empty);
        }
    }
}
