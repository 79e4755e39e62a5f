//! Matches a text against a pattern of digits and fixed characters.

/// A civil time: `yyyy-mm-ddThh:mm:ss`.
pub(super) const CIVIL: &str = "0000-00-00T00:00:00";

/// Whether a text matches the pattern, in which `0` is any digit and every other character itself.
pub(super) fn is(text: &str, pattern: &str) -> bool {
    let fits = |(byte, wanted): (u8, u8)| {
        if wanted == b'0' {
            byte.is_ascii_digit()
        } else {
            byte == wanted
        }
    };
    text.len() == pattern.len() && text.bytes().zip(pattern.bytes()).all(fits)
}
