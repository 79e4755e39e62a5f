//! The content of a record as JSON.

use serde::de::DeserializeOwned;

/// Why the content of a record is not the expected JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadContent {
    /// Null.
    #[error("no value: a tombstone where a message was expected")]
    Tombstone,
    /// Not base64.
    #[error("the value is not base64: {0}")]
    Encoding(&'static str),
    /// Not text.
    #[error("the message has no body: {0}")]
    Body(&'static str),
    /// Not UTF-8.
    #[error("not UTF-8 at byte {0}")]
    Utf8(usize),
    /// A NUL in text, which Postgres cannot store.
    #[error("text with NUL")]
    Nul,
    /// Not JSON, or JSON of another shape.
    #[error("not a valid message: {0}")]
    Json(String),
}

/// Reads JSON without NUL in its text.
pub(super) fn parse_json<T: DeserializeOwned>(text: &str) -> Result<T, BadContent> {
    if has_nul(text) {
        return Err(BadContent::Nul);
    }
    strict_json::from_str(text).map_err(|e| BadContent::Json(e.to_string()))
}

/// Whether JSON text has a NUL, bare or escaped. `\\u0000` is a backslash followed by `u0000`.
fn has_nul(json: &str) -> bool {
    if memchr::memchr2(0, b'\\', json.as_bytes()).is_none() {
        return false;
    }
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
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Message {
        #[expect(dead_code, reason = "only its shape matters")]
        n: u8,
    }

    #[test]
    fn an_array_is_not_read_as_a_struct() {
        for array in ["[1]", "[]", "[[]]"] {
            let error = parse_json::<Message>(array).expect_err(array).to_string();
            assert!(error.contains("invalid type: sequence"), "{array}: {error}");
        }
    }
}
