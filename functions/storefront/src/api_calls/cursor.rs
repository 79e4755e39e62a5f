//! The end of a page, as opaque text for the client.

use shared::api_calls::CallPosition;

/// The text that the client sends back as `after`.
pub(super) fn encode(place: CallPosition) -> String {
    let mut bytes = [0; 20];
    bytes[..8].copy_from_slice(&place.at_ms.to_be_bytes());
    bytes[8..12].copy_from_slice(&place.source.to_be_bytes());
    bytes[12..].copy_from_slice(&place.offset.to_be_bytes());
    hex::encode(bytes)
}

/// `None` if the text is not a cursor.
pub(super) fn decode(text: &str) -> Option<CallPosition> {
    let mut bytes = [0; 20];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    let (at, rest) = bytes.split_first_chunk::<8>()?;
    let (source, offset) = rest.split_first_chunk::<4>()?;
    let place = CallPosition {
        at_ms: i64::from_be_bytes(*at),
        source: i32::from_be_bytes(*source),
        offset: i64::from_be_bytes(*offset.first_chunk::<8>()?),
    };
    // Postgres cannot compare a time beyond the range of calls.
    (0..=shared::api_calls::ApiCall::MAX_AT_MS)
        .contains(&place.at_ms)
        .then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_and_other_text_is_refused() {
        let place = CallPosition {
            at_ms: 1_795_000_000_123,
            source: 7,
            offset: i64::MAX,
        };
        assert_eq!(decode(&encode(place)), Some(place));
        for bad in ["", "7", "zz", &"f".repeat(40), &"0".repeat(42)] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
