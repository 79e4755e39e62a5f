//! The end of a page, as opaque text for the client.

use std::fmt;
use std::str::FromStr;

/// A cursor behind the row with this id, which is 1 or more. `LIST` marks the list that it belongs
/// to; every other list refuses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cursor<const LIST: u8>(pub(crate) i64);

impl<const LIST: u8> fmt::Display for Cursor<LIST> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [LIST; 9];
        bytes[1..].copy_from_slice(&self.0.to_be_bytes());
        f.write_str(&base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes))
    }
}

impl<const LIST: u8> FromStr for Cursor<LIST> {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const RULE: &str = "it must be the value that the previous page answered, unchanged";
        let bytes = base64_simd::URL_SAFE_NO_PAD
            .decode_to_vec(text)
            .map_err(|_| RULE)?;
        match <[u8; 9]>::try_from(bytes) {
            Ok([list, id @ ..]) if list == LIST && i64::from_be_bytes(id) > 0 => {
                Ok(Self(i64::from_be_bytes(id)))
            }
            _ => Err(RULE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_other_text_is_refused() {
        for id in [1, 42, i64::MAX] {
            let cursor = Cursor::<1>(id);
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
            assert!(
                cursor.to_string().parse::<Cursor<2>>().is_err(),
                "a cursor of another list was accepted"
            );
        }
        for bad in [
            "",
            "42",
            "AAAAAAAAAAAA",
            "AQAAAAAAAAAA",
            "Af__________",
            "not base64!",
            &"A".repeat(1000),
        ] {
            assert!(bad.parse::<Cursor<1>>().is_err(), "{bad:?} was accepted");
        }
    }
}
