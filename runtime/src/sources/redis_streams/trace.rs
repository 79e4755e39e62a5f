//! W3C trace context: the field `traceparent` of an entry. Pure.
//!
//! Source: "Trace Context", W3C Recommendation, 3.2.

/// The name of the field, and of the message attribute that carries it.
pub(super) const FIELD: &str = "traceparent";

/// The context in the form of version 00; `None` if the text is none.
pub(super) fn context(text: &str) -> Option<String> {
    let mut parts = text.split('-');
    let mut part = |length: usize| {
        let part = parts.next()?;
        let hex = part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        (part.len() == length && hex).then_some(part)
    };
    let [version, trace, span, flags] = [part(2)?, part(32)?, part(16)?, part(2)?];
    let more = parts.next().is_some();
    let zero = |id: &str| id.bytes().all(|digit| digit == b'0');
    if version == "ff" || (version == "00" && more) || zero(trace) || zero(span) {
        return None;
    }
    // of the flags, version 00 defines the lowest bit only
    let sampled = u8::from_str_radix(flags, 16).ok()? & 1;
    Some(format!("00-{trace}-{span}-{sampled:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_has_the_form_of_version_00() {
        let ids = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";
        let expected = Some(format!("00-{ids}-01"));
        assert_eq!(context(&format!("00-{ids}-01")), expected);
        assert_eq!(context(&format!("00-{ids}-03")), expected);
        assert_eq!(context(&format!("cc-{ids}-01-more")), expected);
    }

    #[test]
    fn other_texts_are_no_context() {
        let ids = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";
        for text in [
            String::new(),
            "nonsense".to_owned(),
            format!("00-{ids}"),
            format!("00-{ids}-01-more"),
            format!("ff-{ids}-01"),
            format!("00-{}-01", ids.to_uppercase()),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-{ids}-1"),
        ] {
            assert_eq!(context(&text), None, "{text}");
        }
    }
}
