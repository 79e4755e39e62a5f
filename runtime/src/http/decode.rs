//! Percent-encoding and query strings.

/// Decodes percent-encoding. Invalid sequences stay as they are; bytes that are not UTF-8 become
/// U+FFFD.
pub(crate) fn percent(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let pair = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        let byte = pair.and_then(|p| Some(digit(p[0])? << 4 | digit(p[1])?));
        out.push(byte.unwrap_or(bytes[at]));
        at += if byte.is_some() { 3 } else { 1 };
    }
    String::from_utf8(out)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn digit(c: u8) -> Option<u8> {
    char::from(c).to_digit(16).map(|d| d as u8)
}

/// The pairs of a query string in order, decoded; `+` is a space.
pub(crate) fn query(text: &str) -> Vec<(String, String)> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    let decoded = |part: &str| percent(&part.replace('+', " "));
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(name), decoded(value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_text_is_decoded_and_the_rest_stays() {
        assert_eq!(percent("a%20b%2Fc%C3%A9%zz%4"), "a b/c\u{e9}%zz%4");
        assert_eq!(
            query("a=1+2&b&=x&a=%26"),
            [("a", "1 2"), ("b", ""), ("", "x"), ("a", "&")]
                .map(|(n, v)| (n.to_owned(), v.to_owned()))
        );
    }

    proptest::proptest! {
        #[test]
        fn any_text_survives_encoding_every_byte(text in ".{0,40}") {
            let encoded = text.bytes().map(|b| format!("%{b:02x}")).collect::<Vec<_>>().concat();
            proptest::prop_assert_eq!(percent(&encoded), text);
        }
    }
}
