//! The record for a destination and the attributes of a message in a dead-letter queue, in the
//! format of "Capturing records of Lambda asynchronous invocations" in Lambda's guide.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

use super::store::{Answered, Stored};
use crate::destinations::MessageAttribute;
use event_sources::Millis;
use event_sources::asynchronous::{AcceptedEvent, Condition};

/// Maximum bytes of `ErrorMessage` in a dead-letter queue (the service: 1 KB).
const MAX_ERROR_MESSAGE: usize = 1_024;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Record<'a> {
    version: &'a str,
    timestamp: String,
    request_context: RequestContext<'a>,
    request_payload: Option<&'a RawValue>,
    response_context: Option<ResponseContext<'a>>,
    response_payload: Option<&'a RawValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestContext<'a> {
    request_id: &'a str,
    function_arn: String,
    condition: &'a str,
    approximate_invoke_count: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResponseContext<'a> {
    status_code: u16,
    executed_version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    function_error: Option<&'a str>,
}

/// The record for a destination: complete, without the response (`null`), and without the request
/// as well. Versions beyond `max` bytes are left out, except for the last. The destination receives
/// the first one that it accepts.
pub(super) fn documents(
    entry: &AcceptedEvent,
    condition: Condition,
    at: Millis,
    stored: &Stored,
    function_arn: &str,
    max: usize,
) -> Vec<String> {
    let request = std::str::from_utf8(&stored.payload)
        .ok()
        .and_then(|text| strict_json::from_str::<&RawValue>(text).ok());
    let response = stored
        .answered
        .as_ref()
        .map(|answered| as_json(&answered.body));
    let context = |answered: &Answered| ResponseContext {
        status_code: 200,
        executed_version: "$LATEST",
        function_error: answered.error.as_ref().map(|_| "Unhandled"),
    };
    let write = |request: Option<&RawValue>, response: Option<&RawValue>| {
        let record = Record {
            version: "1.0",
            timestamp: format_time(at),
            request_context: RequestContext {
                request_id: &entry.request_id,
                function_arn: format!("{function_arn}:$LATEST"),
                condition: condition.word(),
                approximate_invoke_count: entry.invoked,
            },
            request_payload: request,
            response_context: stored.answered.as_ref().map(context),
            response_payload: response,
        };
        // strings and numbers always serialise
        serde_json::to_string(&record).unwrap_or_default()
    };
    let mut forms = vec![write(request, response.as_deref())];
    if response.is_some() {
        forms.push(write(request, None));
    }
    if let Some(whole) = forms.first().filter(|whole| whole.len() > max) {
        let request_id = &entry.request_id;
        let bytes = whole.len();
        tracing::warn!(
            request_id,
            bytes,
            "a record exceeds the limit of its destination; it is sent without payloads"
        );
    }
    forms.retain(|form| form.len() <= max);
    forms.push(write(None, None));
    forms
}

/// The attributes of a message in a dead-letter queue, at most `room` bytes, since they count
/// towards its size. The error message is shortened or left out first, then the code, then the id.
pub(super) fn attributes(
    entry: &AcceptedEvent,
    condition: Condition,
    stored: &Stored,
    room: usize,
) -> Vec<MessageAttribute> {
    let error = stored
        .answered
        .as_ref()
        .and_then(|answered| answered.error.clone());
    let (code, message) = match (error, condition) {
        (Some(message), _) => ("200", message),
        (None, Condition::EventAgeExceeded) => (
            "429",
            "the event grew too old before the function could run".to_owned(),
        ),
        (None, _) => (
            "429",
            "the function may not run: its concurrency is 0, or the host's log says why".to_owned(),
        ),
    };
    let message = if message.is_empty() {
        "no reason given".to_owned()
    } else {
        message
    };
    let all = [
        ("RequestID", "String", entry.request_id.clone()),
        ("ErrorCode", "Number", code.into()),
        ("ErrorMessage", "String", message),
    ];
    let mut left = room;
    let mut kept = Vec::new();
    for (name, kind, mut value) in all {
        let Some(max) = left.checked_sub(name.len() + kind.len()) else {
            break;
        };
        if name == "ErrorMessage" {
            value.truncate(value.floor_char_boundary(max.min(MAX_ERROR_MESSAGE)));
        }
        // an attribute must not be empty, and only the message may be shortened
        if value.is_empty() || value.len() > max {
            break;
        }
        left = max - value.len();
        kept.push((name, kind, value));
    }
    kept
}

/// The answer as JSON; an answer that is not JSON becomes a string.
fn as_json(body: &str) -> Box<RawValue> {
    let text = if strict_json::from_str::<&RawValue>(body).is_ok() {
        body.to_owned()
    } else {
        serde_json::json!(body).to_string()
    };
    RawValue::from_string(text).unwrap_or_default()
}

/// `2026-01-31T09:00:00.123Z`.
fn format_time(at: Millis) -> String {
    let at = Timestamp::from_millisecond(at).unwrap_or_default();
    format!("{at:.3}")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::{Value, json};

    use super::*;
    use event_sources::asynchronous::EventStage;

    /// The first version within `max` bytes.
    fn document(
        entry: &AcceptedEvent,
        condition: Condition,
        at: Millis,
        stored: &Stored,
        arn: &str,
        max: usize,
    ) -> String {
        documents(entry, condition, at, stored, arn, max).remove(0)
    }

    fn failed(body: &str) -> (AcceptedEvent, Stored) {
        let stage = EventStage::Ended {
            condition: Condition::RetriesExhausted,
            at: 0,
            targets: Vec::new(),
        };
        let entry = AcceptedEvent {
            function: "F".into(),
            request_id: "e4b4".into(),
            trace_id: None,
            accepted: 0,
            invoked: 3,
            stage,
        };
        let answered = Answered {
            error: Some("no".into()),
            body: body.into(),
        };
        (
            entry,
            Stored {
                payload: Bytes::from_static(b"{\"ORDER_IDS\": [1.0]}"),
                answered: Some(answered),
            },
        )
    }

    #[test]
    fn a_record_has_lambdas_format() {
        let (entry, stored) = failed(r#"{"errorMessage":"no"}"#);
        let arn = "arn:aws:lambda:us-east-1:000000000000:function:f";
        let text = document(
            &entry,
            Condition::RetriesExhausted,
            1_573_755_365_568,
            &stored,
            arn,
            usize::MAX,
        );
        assert!(
            text.contains(r#""requestPayload":{"ORDER_IDS": [1.0]}"#),
            "{text}"
        );
        let record: Value = serde_json::from_str(&text).unwrap();
        let context = json!({
            "requestId": "e4b4", "functionArn": format!("{arn}:$LATEST"),
            "condition": "RetriesExhausted", "approximateInvokeCount": 3,
        });
        assert_eq!(record["requestContext"], context);
        assert_eq!(
            (&record["version"], &record["timestamp"]),
            (&json!("1.0"), &json!("2019-11-14T18:16:05.568Z"))
        );
        assert_eq!(
            record["responseContext"],
            json!({ "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled" })
        );
        assert_eq!(record["responsePayload"]["errorMessage"], "no");
    }

    #[test]
    fn payloads_beyond_the_limit_are_left_out() {
        let (entry, stored) = failed("not json");
        let within = |max| {
            serde_json::from_str::<Value>(&document(
                &entry,
                Condition::Success,
                0,
                &stored,
                "arn",
                max,
            ))
            .unwrap()
        };
        assert_eq!(within(usize::MAX)["responsePayload"], "not json");
        let whole = document(&entry, Condition::Success, 0, &stored, "arn", usize::MAX).len();
        assert_eq!(
            (
                &within(whole - 1)["responsePayload"],
                &within(whole - 1)["requestPayload"]["ORDER_IDS"]
            ),
            (&json!(null), &json!([1.0]))
        );
        assert_eq!(within(10)["requestPayload"], json!(null));
        let forms = documents(&entry, Condition::Success, 0, &stored, "arn", usize::MAX);
        assert!(
            forms.len() == 3 && forms[0].len() == whole,
            "a destination that refuses one receives the next: {forms:?}"
        );
    }

    #[test]
    fn an_error_message_is_cut_between_characters() {
        let (entry, mut stored) = failed("");
        stored.answered = Some(Answered {
            error: Some("ä".repeat(600)),
            body: String::new(),
        });
        let all = attributes(&entry, Condition::RetriesExhausted, &stored, usize::MAX);
        assert_eq!((all[1].2.as_str(), all[2].2.len()), ("200", 1_024));
        stored.answered = None;
        assert_eq!(
            attributes(&entry, Condition::EventAgeExceeded, &stored, usize::MAX)[1].2,
            "429"
        );
    }

    #[test]
    fn attributes_leave_room_for_the_event() {
        let (entry, mut stored) = failed("");
        stored.answered = Some(Answered {
            error: Some("ä".repeat(600)),
            body: String::new(),
        });
        for room in 0..2_000 {
            let kept = attributes(&entry, Condition::RetriesExhausted, &stored, room);
            let size: usize = kept
                .iter()
                .map(|(name, kind, value)| name.len() + kind.len() + value.len())
                .sum();
            assert!(
                size <= room && kept.iter().all(|(_, _, value)| !value.is_empty()),
                "{room}: {kept:?}"
            );
        }
        let names = |room| {
            attributes(&entry, Condition::RetriesExhausted, &stored, room)
                .iter()
                .map(|a| a.0)
                .collect::<Vec<_>>()
        };
        assert_eq!(names(0), [""; 0]);
        assert_eq!(names(50), ["RequestID", "ErrorCode"]);
        assert_eq!(names(100), ["RequestID", "ErrorCode", "ErrorMessage"]);
    }
}
