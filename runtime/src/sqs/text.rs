//! Characters that a message may hold.

use std::fmt::Write as _;

/// Whether a message may hold this character (source: `SendMessage`, Amazon SQS API reference).
pub(crate) fn allowed(character: char) -> bool {
    matches!(character, '\u{9}' | '\u{a}' | '\u{d}' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

/// The same JSON with every character that no message may hold written as an escape. Such a character stands in a string: JSON
/// allows it nowhere else.
pub(crate) fn acceptable(json: String) -> String {
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
    fn characters_that_no_message_may_hold_become_escapes() {
        let json = serde_json::json!({ "text": "a\u{ffff}b\u{fffe}\u{1}\u{fffd}" });
        let sent = acceptable(json.to_string());
        assert!(
            sent.chars().all(allowed) && sent.contains("\\uffff"),
            "{sent}"
        );
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&sent).ok(),
            Some(json)
        );
        assert_eq!(acceptable("{\"ä\": 1}\n".into()), "{\"ä\": 1}\n");
    }
}
