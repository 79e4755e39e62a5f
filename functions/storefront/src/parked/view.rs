//! Parked records as JSON.

use serde_json::{Value, json};
use shared::store::{ParkedDetail, ParkedRecord, ReplayAttempt};

use crate::http::time;

/// A record without its bytes.
pub(super) fn record(record: &ParkedRecord) -> Value {
    let mut view = json!({
        "id": record.id.to_string(),
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset.to_string(),
        "appended_at": record.appended_ms.map(time),
        "parked_at": time(record.parked_ms),
        "reason": record.reason,
        "key_bytes": record.key_bytes,
        "value_bytes": record.value_bytes,
        "state": record.state.as_str(),
        "replays": record.replays,
        "replay_under_way": record.busy,
    });
    if let Some(discard) = &record.discarded {
        view["discarded"] =
            json!({ "by": discard.by, "why": discard.why, "at": time(discard.at_ms) });
    }
    view
}

/// A record with its bytes and its replay attempts.
pub(super) fn detail(detail: &ParkedDetail) -> Value {
    let mut view = record(&detail.record);
    view["key"] = bytes(detail.key.as_deref(), detail.record.key_bytes);
    view["value"] = bytes(detail.value.as_deref(), detail.record.value_bytes);
    view["history"] = detail.history.iter().map(attempt).collect();
    view
}

fn attempt(attempt: &ReplayAttempt) -> Value {
    let mut view = json!({
        "attempt": attempt.attempt,
        "by": attempt.asked_by,
        "began_at": time(attempt.began_ms),
        "ended_at": attempt.ended_ms.map(time),
        "outcome": attempt.outcome,
    });
    if let Some((partition, offset)) = attempt.place {
        view["partition"] = partition.into();
        view["offset"] = offset.to_string().into();
    }
    if let Some(note) = &attempt.note {
        view["note"] = note.as_str().into();
    }
    view
}

/// `{"text": ...}` for UTF-8, `{"base64": ...}` for other bytes, null for none. `truncated` marks
/// bytes that are not shown completely.
fn bytes(shown: Option<&[u8]>, whole: Option<u64>) -> Value {
    let Some(shown) = shown else {
        return Value::Null;
    };
    let truncated = whole.is_some_and(|whole| whole > shown.len() as u64);
    let mut view = match std::str::from_utf8(shown) {
        Ok(text) => json!({ "text": text }),
        // Cut within a character: the bytes before it are text.
        Err(e) if truncated && e.error_len().is_none() => {
            json!({ "text": String::from_utf8_lossy(&shown[..e.valid_up_to()]) })
        }
        Err(_) => json!({ "base64": base64_simd::STANDARD.encode_to_string(shown) }),
    };
    if truncated {
        view["truncated"] = true.into();
    }
    view
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utf8_is_shown_as_text_and_other_bytes_as_base64() {
        let shown = |given: &[u8], whole: u64| bytes(Some(given), Some(whole));
        assert_eq!(bytes(None, None), Value::Null);
        assert_eq!(shown(b"", 0), json!({ "text": "" }));
        assert_eq!(
            shown("a\0\u{e4}".as_bytes(), 4),
            json!({ "text": "a\0\u{e4}" })
        );
        assert_eq!(shown(&[0xff, 0x00], 2), json!({ "base64": "/wA=" }));
        // Half a character at the end, of a truncated text or of no text.
        assert_eq!(
            shown("a\u{e4}".as_bytes().split_at(2).0, 3),
            json!({ "text": "a", "truncated": true })
        );
        assert_eq!(
            shown("a\u{e4}".as_bytes().split_at(2).0, 2),
            json!({ "base64": "YcM=" })
        );
    }
}
