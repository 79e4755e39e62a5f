//! Text from outside on its way to a terminal or into a log.
//!
//! Names, error messages, dead letters and what functions print may hold any character. A line break would begin a line that
//! looks like the host's own; an escape sequence would move the cursor, change the title or hide text; a bidirectional control would
//! reorder what is read. Such characters are written as JSON escapes (`\n`, `\u001b`), so a line that is JSON keeps its meaning.
//!
//! Escaped: C0 controls but the tab, DEL, C1 controls, the line separators U+2028 and U+2029, and the bidirectional
//! controls. Backslashes stay: the result is for reading and is not decoded again.

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

/// Writes text for a person to standard output, as a [`block`]. Text from outside that must stay on its line passes through
/// [`line()`] before.
///
/// # Errors
/// Standard output is closed.
pub fn print(text: &str) -> io::Result<()> {
    io::stdout().lock().write_all(block(text).as_bytes())
}

/// Writes a message to standard error, as a [`block`]; where standard error is closed it is lost.
pub fn report(text: &str) {
    let _ = io::stderr().lock().write_all(block(text).as_bytes());
}

/// Writes the answer of a function and a line break to standard output: its own bytes where a program reads them, a [`block`]
/// on a terminal.
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

/// Whether the character acts on a terminal or on the order of reading instead of being shown.
fn acts(character: char) -> bool {
    let bidi = matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (character.is_control() && character != '\t')
        || matches!(character, '\u{2028}' | '\u{2029}')
        || bidi
}

fn escaped(text: &str, keep_breaks: bool) -> Cow<'_, str> {
    let escapes = |character: char| acts(character) && !(keep_breaks && character == '\n');
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
    fn what_steers_a_terminal_is_shown() {
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
            prop_assert!(!shown.contains(acts));
            prop_assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
        }
    }
}
