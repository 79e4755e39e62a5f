//! Where a page ended, as a text that means nothing to its bearer: the order of the list may change without breaking anybody.

use std::fmt;
use std::str::FromStr;

use shared::store::ParkedId;

/// The last record of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor(pub ParkedId);

/// Tells a cursor of this list, newest first, from anything else.
const MARK: u8 = 1;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [MARK; 9];
        bytes[1..].copy_from_slice(&self.0.get().to_be_bytes());
        f.write_str(&base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes))
    }
}

impl FromStr for Cursor {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const RULE: &str = "it must be what the page before answered, unchanged";
        let bytes = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(text).map_err(|_| RULE)?;
        match <[u8; 9]>::try_from(bytes) {
            Ok([MARK, id @ ..]) => ParkedId::new(i64::from_be_bytes(id)).map(Self).map_err(|_| RULE),
            _ => Err(RULE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_its_record_and_nothing_else_is_one() {
        for id in [1, 42, i64::MAX] {
            let cursor = Cursor(ParkedId::new(id).expect("valid"));
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        for bad in ["", "42", "AAAAAAAAAAAA", "AQAAAAAAAAAA", "Af__________", "not base64!", &"A".repeat(1000)] {
            assert!(bad.parse::<Cursor>().is_err(), "{bad:?} was taken");
        }
    }
}
