//! Escapes text from outside for terminals and logs.
//!
//! Names, error messages, dead letters and output of functions may hold any character. A line break
//! could imitate a line of the host; an escape sequence could move the cursor, change the title or
//! hide text; a bidirectional control could reorder the text. Such characters are written as JSON
//! escapes (`\n`, `\u001b`), so that a line of JSON keeps its meaning.
//!
//! Escaped: C0 controls except the tab, DEL, C1 controls, the line separators U+2028 and U+2029,
//! and the bidirectional controls. Backslashes stay: the result is for reading and is not decoded
//! again.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};

/// One line: line breaks are escaped as well.
pub fn line(text: &str) -> Cow<'_, str> {
    escaped(text, false)
}

/// Text of several lines: `\n` ends a line, everything else is as in [`line()`].
pub fn block(text: &str) -> Cow<'_, str> {
    escaped(text, true)
}

/// Writes text to standard output, as a [`block`]. Text from outside that must stay on its line
/// needs [`line()`] first.
///
/// # Errors
/// Standard output is closed.
pub fn print(text: &str) -> io::Result<()> {
    io::stdout().lock().write_all(block(text).as_bytes())
}

/// Writes a message to standard error, as a [`block`]; lost where standard error is closed.
pub fn report(text: &str) {
    let _ = io::stderr().lock().write_all(block(text).as_bytes());
}

/// Writes the answer of a function and a line break to standard output: as a [`block`] on a
/// terminal, as its own bytes elsewhere.
///
/// # Errors
/// Standard output is closed.
pub fn answer(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if out.is_terminal() {
        out.write_all(block(&String::from_utf8_lossy(bytes)).as_bytes())?;
    } else {
        out.write_all(bytes)?;
    }
    out.write_all(b"\n")?;
    out.flush()
}

/// Whether the character controls a terminal or the order of text.
fn is_control(character: char) -> bool {
    let bidi = matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    (character.is_control() && character != '\t')
        || matches!(character, '\u{2028}' | '\u{2029}')
        || bidi
}

fn escaped(text: &str, keep_breaks: bool) -> Cow<'_, str> {
    let escapes = |character: char| is_control(character) && !(keep_breaks && character == '\n');
    if !text.contains(escapes) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            plain if !escapes(plain) => out.push(plain),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            // every such character is in the basic plane: one escape of four digits
            other => _ = write!(out, "\\u{:04x}", u32::from(other)),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(
            line("a\x1b[2J\u{9b}1m\u{7f}b"),
            "a\\u001b[2J\\u009b1m\\u007fb"
        );
        assert_eq!(
            line("gnp.\u{202e}exe\u{2069}\u{200f}\u{61c}"),
            "gnp.\\u202eexe\\u2069\\u200f\\u061c"
        );
        assert_eq!(
            line("one\r\ntwo\u{2028}three\ttab"),
            "one\\r\\ntwo\\u2028three\ttab"
        );
        assert_eq!(block("one\r\ntwo\x07"), "one\\r\ntwo\\u0007");
    }

    #[test]
    fn other_text_stays_as_it_is() {
        for text in ["", "Grüße, 世界 👩‍💻", "C:\\new \"x\"", "tab\there", "שלום"] {
            assert!(
                matches!(line(text), Cow::Borrowed(same) if same == text),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_line_of_json_keeps_its_meaning(text in "[\\PC\\x00-\\x1f\\x7f-\\x9f\u{202a}-\u{202e}\u{2028}]{0,40}") {
            let json = serde_json::to_string(&text).unwrap();
            let shown = line(&json).into_owned();
            prop_assert!(!shown.contains(is_control));
            prop_assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
        }
    }
}
