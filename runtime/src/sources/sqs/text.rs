//! Characters that a message may contain.

use std::fmt::Write as _;

/// Whether a message may contain this character (source: `SendMessage`, Amazon SQS API reference).
pub(crate) fn allowed(character: char) -> bool {
    matches!(
        character,
        '\u{9}' | '\u{a}' | '\u{d}' | '\u{20}'..='\u{fffd}' | '\u{10000}'..
    )
}

/// Escapes the characters of a JSON text that no message may contain. JSON allows them in strings
/// only.
pub(crate) fn escape_json(json: String) -> String {
    if json.chars().all(allowed) {
        return json;
    }
    json.chars().fold(
        String::with_capacity(json.len() + 16),
        |mut text, character| {
            if allowed(character) {
                text.push(character);
            } else {
                // writing to a string always succeeds
                let _ = write!(text, "\\u{:04x}", u32::from(character));
            }
            text
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forbidden_characters_are_escaped() {
        let json = serde_json::json!({ "text": "a\u{ffff}b\u{fffe}\u{1}\u{fffd}" });
        let sent = escape_json(json.to_string());
        assert!(
            sent.chars().all(allowed) && sent.contains("\\uffff"),
            "{sent}"
        );
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&sent).ok(),
            Some(json)
        );
        assert_eq!(escape_json("{\"ä\": 1}\n".into()), "{\"ä\": 1}\n");
    }
}
