//! What destinations are told, in Lambda's words.
//!
//! "Capturing records of Lambda asynchronous invocations" in Lambda's guide shows the record of a destination and the
//! attributes of a message in a dead-letter queue.

use event_sources::Millis;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

use super::store::{Answered, Stored};
use crate::destinations::MessageAttribute;
use event_sources::asynchronous::{AcceptedEvent, Condition};

/// Most characters of `ErrorMessage` in a dead-letter queue (the service: 1 KB).
const MOST_MESSAGE: usize = 1_024;

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

/// The record for a destination in its forms: whole, then without the response (`null`), then without the request as well. Those of
/// more than `most` bytes are left out, but for the last. The destination gets the first that it takes.
pub(super) fn documents(
    entry: &AcceptedEvent,
    condition: Condition,
    at: Millis,
    stored: &Stored,
    function_arn: &str,
    most: usize,
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
            timestamp: moment(at),
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
        // nothing in it can fail to be written
        serde_json::to_string(&record).unwrap_or_default()
    };
    let mut forms = vec![write(request, response.as_deref())];
    if response.is_some() {
        forms.push(write(request, None));
    }
    if let Some(whole) = forms.first().filter(|whole| whole.len() > most) {
        let request_id = &entry.request_id;
        let bytes = whole.len();
        tracing::warn!(
            request_id,
            bytes,
            "a record is larger than its destination takes; payloads are left out of it"
        );
    }
    forms.retain(|form| form.len() <= most);
    forms.push(write(None, None));
    forms
}

/// The attributes of a message in a dead-letter queue, `room` bytes at most: they count towards the message's size, and an event
/// that fills it alone has to go without some. The message of the error gives way first, then the code, then the id.
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
        let Some(most) = left.checked_sub(name.len() + kind.len()) else {
            break;
        };
        if name == "ErrorMessage" {
            value.truncate(value.floor_char_boundary(most.min(MOST_MESSAGE)));
        }
        // an attribute must not be empty, and half an id is none
        if value.is_empty() || value.len() > most {
            break;
        }
        left = most - value.len();
        kept.push((name, kind, value));
    }
    kept
}

/// An answer need not be JSON; it is told as text then.
fn as_json(body: &str) -> Box<RawValue> {
    let text = if strict_json::from_str::<&RawValue>(body).is_ok() {
        body.to_owned()
    } else {
        serde_json::json!(body).to_string()
    };
    RawValue::from_string(text).unwrap_or_default()
}

/// `2026-01-31T09:00:00.123Z`.
fn moment(at: Millis) -> String {
    let at = Timestamp::from_millisecond(at).unwrap_or_default();
    format!("{at:.3}")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::{Value, json};

    use super::*;
    use event_sources::asynchronous::EventStage;

    /// The first form of at most so many bytes.
    fn document(
        entry: &AcceptedEvent,
        condition: Condition,
        at: Millis,
        stored: &Stored,
        arn: &str,
        most: usize,
    ) -> String {
        documents(entry, condition, at, stored, arn, most).remove(0)
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
    fn a_record_has_lambdas_form_and_the_payload_as_it_was() {
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
        let context = json!({ "requestId": "e4b4", "functionArn": format!("{arn}:$LATEST"), "condition": "RetriesExhausted",
            "approximateInvokeCount": 3 });
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
    fn what_does_not_fit_is_left_out_and_an_answer_that_is_no_json_is_text() {
        let (entry, stored) = failed("not json");
        let most = |most| {
            serde_json::from_str::<Value>(&document(
                &entry,
                Condition::Success,
                0,
                &stored,
                "arn",
                most,
            ))
            .unwrap()
        };
        assert_eq!(most(usize::MAX)["responsePayload"], "not json");
        let whole = document(&entry, Condition::Success, 0, &stored, "arn", usize::MAX).len();
        assert_eq!(
            (
                &most(whole - 1)["responsePayload"],
                &most(whole - 1)["requestPayload"]["ORDER_IDS"]
            ),
            (&json!(null), &json!([1.0]))
        );
        assert_eq!(most(10)["requestPayload"], json!(null));
        let forms = documents(&entry, Condition::Success, 0, &stored, "arn", usize::MAX);
        assert!(
            forms.len() == 3 && forms[0].len() == whole,
            "a destination that refuses one gets the next: {forms:?}"
        );
    }

    #[test]
    fn the_message_of_a_dead_letter_is_cut_between_characters() {
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
    fn attributes_leave_their_message_room_for_the_event() {
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
