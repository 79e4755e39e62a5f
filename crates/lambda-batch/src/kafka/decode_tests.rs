//! Events in unusual forms, as text.

use super::*;
use crate::kafka::{KafkaRecord, Payload};

fn record(batch: &KafkaBatch, index: usize) -> KafkaRecord<'_> {
    batch.get(index).expect("a record")
}

#[test]
fn unknown_fields_may_hold_any_json() {
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    for odd in [&deep, "1e999", r#""\ud800""#] {
        let event = format!(
            r#"{{"x":{odd},"records":{{"t-0":[{{"x":{odd},"topic":"t","partition":0,"offset":1,"value":null}}]}}}}"#
        );
        let batch: KafkaBatch = serde_json::from_str(&event).expect("the event is read");
        assert_eq!(record(&batch, 0).offset, 1, "{odd}");
    }
}

#[test]
fn unreadable_fields_spoil_their_record_only() {
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));
    let odd = [&deep, "1e999", r#""\ud800""#];
    let records: Vec<String> = (0..3)
        .map(|n| {
            let odd = odd[n];
            format!(r#"{{"offset":{n},"timestamp":{odd},"key":{odd},"value":{odd},"headers":[{{"a":[1]}},{odd},{{"b":{odd}}}]}}"#)
        })
        .collect();
    let event = format!(r#"{{"records":{{"t-0":[{}]}}}}"#, records.join(","));
    let batch: KafkaBatch = serde_json::from_str(&event).expect("the event is read");
    assert_eq!(batch.len(), 3);
    for record in batch.records() {
        assert_eq!(record.timestamp_ms, None);
        assert!(matches!(record.key, Payload::Bad { .. }));
        assert!(matches!(record.value, Payload::Bad { .. }));
        assert_eq!(record.headers().collect::<Vec<_>>(), [("a", &[1][..])]);
    }
    assert_eq!(record(&batch, 2).value.to_park(), Some(&br#""\ud800""#[..]));
}

#[test]
fn headers_of_one_object_keep_order_and_repeats() {
    let event =
        r#"{"records":{"t-0":[{"offset":1,"headers":[{"b":[1],"a":[2],"b":[3],"c":null}]}]}}"#;
    let batch: KafkaBatch = serde_json::from_str(event).expect("the event is read");
    assert_eq!(
        record(&batch, 0).headers().collect::<Vec<_>>(),
        [("b", &[1][..]), ("a", &[2][..]), ("b", &[3][..])]
    );
}

#[test]
fn all_records_of_repeated_lists_are_read() {
    let event = r#"{"records":{"t-0":[{"offset":1}]},"records":{"t-0":[{"offset":2}]}}"#;
    let batch: KafkaBatch = serde_json::from_str(event).expect("the event is read");
    let offsets: Vec<i64> = batch.records().map(|record| record.offset).collect();
    assert_eq!(offsets, [1, 2]);
}

#[test]
fn a_refused_event_names_the_place() {
    let refused = |event: &str| {
        serde_json::from_str::<KafkaBatch>(event)
            .expect_err("refused")
            .to_string()
    };
    assert!(refused(r#"{"records":{"t-0":[{}]}}"#).ends_with("at line 1 column 22"));
    assert!(refused(r#"{"records":null}"#).contains("null, expected lists of records"));
    assert!(refused(r#"[{"t-0":[{"offset":1}]}]"#).contains("expected a Kafka event"));
}
