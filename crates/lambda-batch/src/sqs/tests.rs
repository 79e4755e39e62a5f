//! SQS events: an odd message never fails its batch.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::BadContent;

fn batch(event: &str) -> SqsBatch {
    serde_json::from_str(event).expect("the event is read")
}

#[test]
fn a_message_has_body_attributes_and_counts() {
    let batch = batch(include_str!("../fixtures/sqs/standard.json"));
    let [first, second] = &batch.messages[..] else {
        panic!("two messages")
    };
    assert_eq!(first.id, "059f36b4-87a3-44ab-83d2-661975830a7d");
    assert_eq!(
        first.attribute("traceparent"),
        Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    );
    assert_eq!(
        first.attribute("blob"),
        None,
        "binary attributes are left out"
    );
    assert_eq!(
        (first.receive_count, first.sent_ms),
        (Some(1), Some(1_795_372_200_012))
    );
    assert_eq!(
        (first.queue.as_deref(), first.group.as_deref()),
        (Some("demo-program-changed"), None)
    );
    let body: Value = first.parse_json().expect("JSON");
    assert_eq!(body["fields"]["version"], "4");
    assert_eq!(second.receive_count, Some(3));
    assert!(matches!(
        second.parse_json::<Value>(),
        Err(BadContent::Json(_))
    ));
}

#[test]
fn a_fifo_message_has_its_group() {
    let batch = batch(include_str!("../fixtures/sqs/fifo.json"));
    assert_eq!(batch.messages[0].group.as_deref(), Some("17"));
    assert_eq!(
        batch.messages[0].queue.as_deref(),
        Some("demo-changes.fifo")
    );
}

#[test]
fn odd_fields_lose_no_message() {
    let batch = batch(include_str!("../fixtures/sqs/odd.json"));
    let of = |id: &str| batch.messages.iter().find(|m| m.id == id).expect("there");
    for (id, raw) in [
        ("no-body", ""),
        ("null-body", ""),
        ("object-body", r#"{"id":17}"#),
    ] {
        assert!(
            matches!(of(id).parse_json::<Value>(), Err(BadContent::Body(_))),
            "{id}"
        );
        assert_eq!(of(id).body.to_park(), raw, "{id}");
    }
    assert_eq!(
        (of("numbers").receive_count, of("numbers").sent_ms),
        (Some(2), Some(1_795_372_200_012))
    );
    assert_eq!(
        of("numbers").attributes,
        [("price".to_owned(), "42".to_owned())]
    );
    let odd = of("nonsense");
    assert_eq!(
        (odd.receive_count, odd.sent_ms, &odd.group, &odd.queue),
        (None, None, &None, &None)
    );
    assert_eq!(of("nul").parse_json::<Value>(), Err(BadContent::Nul));
    assert_eq!(batch.messages.len(), 6);
}

#[test]
fn other_events_are_refused_with_a_reason() {
    for (event, why) in [
        ("{}", "it has no `Records`"),
        (r#"{"Records": null}"#, "it has no `Records`"),
        (r#"{"records": {"t-0": []}}"#, "it has no `Records`"),
        (r#"{"Records": [{"body": "x"}]}"#, "no `messageId`"),
        (
            r#"{"Records": [{"messageId": 7, "body": "x"}]}"#,
            "no `messageId`",
        ),
        (r#"{"Records": [7]}"#, "invalid type"),
        ("[]", "invalid type"),
        (r#"[[{"messageId": "m", "body": "x"}]]"#, "invalid type"),
    ] {
        let error = serde_json::from_str::<SqsBatch>(event)
            .expect_err(event)
            .to_string();
        assert!(error.contains(why), "{event}: {error}");
    }
    assert_eq!(batch(r#"{"Records": []}"#), SqsBatch::default());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map(".{0,6}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Whatever the fields of one message are, every message of the batch is read with its id, in
    /// order.
    #[test]
    fn any_field_loses_no_message(
        odd in prop::collection::vec((any_json(), any_json(), any_json(), any_json()), 1..5),
        text in "\\PC{0,30}",
    ) {
        let mut records = vec![json!({ "messageId": "first", "body": text })];
        for (n, (body, attributes, message_attributes, arn)) in odd.iter().enumerate() {
            records.push(json!({
                "messageId": format!("odd-{n}"), "body": body, "attributes": attributes,
                "messageAttributes": message_attributes, "eventSourceARN": arn,
            }));
        }
        let batch: SqsBatch = serde_json::from_value(json!({ "Records": records })).expect("the event is read");
        let ids: Vec<_> = batch.messages.iter().map(|m| m.id.clone()).collect();
        let expected: Vec<_> = std::iter::once("first".to_owned()).chain((0..odd.len()).map(|n| format!("odd-{n}"))).collect();
        prop_assert_eq!(ids, expected);
        prop_assert_eq!(&batch.messages[0].body, &MessageBody::Text(text));
    }
}
