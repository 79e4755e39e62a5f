//! `X-Amz-Client-Context`: a synchronous caller's description of itself ("Invoke" in Lambda's API
//! reference).

use std::fmt::Write as _;

use base64::Engine as _;
use serde_json::Value;

use super::answer::ApiError;

/// Bytes of the header at most (Lambda's limit).
const MAX_BYTES: usize = 3_583;

/// The JSON object in the header, in ASCII, so that a header can carry it again.
///
/// # Errors
/// It is too long, or not a JSON object in base64.
pub(super) fn read(header: &[u8]) -> Result<String, ApiError> {
    if header.len() > MAX_BYTES {
        return Err(ApiError::ClientContext(
            "Client context must be at most 3583 bytes.",
        ));
    }
    let decoded = base64::engine::general_purpose::STANDARD
        .decode(header)
        .ok();
    let object: Option<Value> = decoded
        .and_then(|bytes| strict_json::from_slice(&bytes).ok())
        .filter(Value::is_object);
    let object = object.ok_or(ApiError::ClientContext(
        "Client context must be a valid Base64-encoded JSON object.",
    ))?;
    let mut text = String::new();
    for c in object.to_string().chars() {
        if c.is_ascii() && !c.is_ascii_control() {
            text.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(text: &str) -> Vec<u8> {
        base64::engine::general_purpose::STANDARD
            .encode(text)
            .into_bytes()
    }

    #[test]
    fn a_json_object_is_passed_on_in_ascii() {
        let read = read(&encoded(
            "{\n \"custom\": {\"name\": \"M\u{fc}ller \u{1f600}\"}}",
        ))
        .unwrap();
        assert_eq!(read, r#"{"custom":{"name":"M\u00fcller \ud83d\ude00"}}"#);
        let back: Value = serde_json::from_str(&read).unwrap();
        assert_eq!(back["custom"]["name"], "M\u{fc}ller \u{1f600}");
    }

    #[test]
    fn anything_else_is_refused() {
        let long = encoded(&format!("{{\"a\": \"{}\"}}", "x".repeat(MAX_BYTES)));
        for wrong in [
            &b"no base64"[..],
            b"",
            &encoded("7"),
            &encoded("[1]"),
            &encoded("{"),
            &long,
        ] {
            assert!(
                matches!(read(wrong), Err(ApiError::ClientContext(_))),
                "{}",
                String::from_utf8_lossy(wrong)
            );
        }
    }
}
