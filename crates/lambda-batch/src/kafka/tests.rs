//! A fixture for each odd event that was observed, and properties over any event.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::canonical;
use super::decode::any_form;
use super::*;
use crate::BadContent;

macro_rules! fixture {
    ($name:literal) => {
        serde_json::from_str::<KafkaBatch>(include_str!(concat!("../fixtures/", $name)))
            .expect("the event is read")
    };
}

fn record(batch: &KafkaBatch, index: usize) -> KafkaRecord<'_> {
    batch.get(index).expect("a record")
}

fn values(batch: &KafkaBatch) -> Vec<Result<Value, BadContent>> {
    batch.records().map(|r| r.parse_json()).collect()
}

#[test]
fn a_self_managed_event_is_read_in_order() {
    let batch = fixture!("self-managed.json");
    let at: Vec<_> = batch
        .records()
        .map(|r| (r.topic, r.partition, r.offset))
        .collect();
    assert_eq!(at, [("orders", 0, 15), ("orders", 0, 16), ("orders", 1, 7)]);
    let first = record(&batch, 0);
    assert_eq!(
        (first.key, first.value),
        (Payload::Bytes(b"k"), Payload::Bytes(br#"{"n":1}"#))
    );
    assert_eq!(first.timestamp_ms, Some(1_700_000_000_000));
    assert_eq!(first.header("trace"), Some(&b"00"[..]));
    assert_eq!(record(&batch, 1).header("trace"), None);
}

#[test]
fn an_msk_event_whose_topic_has_dashes_is_read() {
    let batch = fixture!("msk.json");
    let only = record(&batch, 0);
    assert_eq!(
        (batch.len(), only.topic, only.partition, only.offset),
        (1, "my-orders", 12, 3)
    );
}

#[test]
fn odd_headers_lose_no_record() {
    let batch = fixture!("headers-missing-or-null.json");
    let headers: Vec<Vec<_>> = batch.records().map(|r| r.headers().collect()).collect();
    assert_eq!(headers[0], []);
    assert_eq!(headers[1], []);
    assert_eq!(headers[2], [("b", &[1][..])]);
    assert_eq!(headers[3], [("e", &[][..])]);
    assert_eq!(headers[4], [("f", &[2][..])]);
    assert!(values(&batch).iter().all(Result::is_ok));
}

#[test]
fn header_bytes_are_read_signed_and_unsigned() {
    let batch = fixture!("header-bytes-signed-and-unsigned.json");
    let only = record(&batch, 0);
    assert_eq!(only.header("signed"), Some(&[128, 255, 0, 127][..]));
    assert_eq!(only.header("unsigned"), Some(&[128, 255, 0, 127][..]));
}

#[test]
fn null_keys_and_tombstones_are_read() {
    let batch = fixture!("null-key-and-tombstone.json");
    let null = |p: Payload<'_>| p == Payload::Null;
    let nulls: Vec<_> = batch
        .records()
        .map(|r| (null(r.key), null(r.value)))
        .collect();
    assert_eq!(
        nulls,
        [(true, false), (false, true), (true, false), (false, true)]
    );
    assert_eq!(
        record(&batch, 1).parse_json::<Value>(),
        Err(BadContent::Tombstone)
    );
    assert_eq!(record(&batch, 1).value.to_park(), None);
}

#[test]
fn bad_base64_is_kept_for_parking() {
    let batch = fixture!("bad-base64.json");
    assert_eq!(record(&batch, 0).value.to_park(), Some(&b"not base64!"[..]));
    assert!(matches!(
        record(&batch, 1).key,
        Payload::Bad { raw: b"%%%", .. }
    ));
    let readable: Vec<_> = values(&batch).iter().map(Result::is_ok).collect();
    assert_eq!(readable, [false, true, false, false, false, false, true]);
    let reason = |i| {
        record(&batch, i)
            .parse_json::<Value>()
            .expect_err("unreadable")
            .to_string()
    };
    assert!(
        reason(0).contains("not base64")
            && reason(3).contains("a number")
            && reason(4).contains("an object")
    );
}

#[test]
fn bad_utf8_and_nul_fail_their_record_only() {
    let batch = fixture!("bad-utf8-and-nul.json");
    let values = values(&batch);
    assert_eq!(values[0], Err(BadContent::Utf8(6)));
    assert_eq!(values[1], Err(BadContent::Nul));
    assert_eq!(values[2], Err(BadContent::Nul));
    assert_eq!(
        values[3],
        Ok(json!({ "n": r"a\u0000b" })),
        "a backslash and u0000 are not a NUL"
    );
    assert_eq!(
        values[4],
        Err(BadContent::Nul),
        "a backslash and then a NUL"
    );
    assert!(matches!(values[5], Err(BadContent::Json(_))));
    assert!(matches!(values[6], Err(BadContent::Json(_))));
    assert_eq!(values[7], Ok(json!({ "n": 1 })));
}

#[test]
fn odd_numbers_are_read() {
    let batch = fixture!("odd-numbers.json");
    let at: Vec<_> = batch
        .records()
        .map(|r| (r.topic, r.partition, r.offset))
        .collect();
    assert_eq!(at, (0..9).map(|n| ("orders", 0, n)).collect::<Vec<_>>());
    let stamps: Vec<_> = batch.records().map(|r| r.timestamp_ms).collect();
    let stamp = Some(1_700_000_000_000);
    assert_eq!(
        stamps,
        [stamp, stamp, None, stamp, None, stamp, stamp, None, None]
    );
}

#[test]
fn unknown_fields_are_ignored() {
    let batch = fixture!("unknown-fields.json");
    assert_eq!(values(&batch), [Ok(json!({ "n": 1 }))]);
}

#[test]
fn repeated_fields_and_partitions_are_read() {
    let event = r#"{"records": {
        "t-0": [{"topic":"t","partition":0,"offset":1,"value":"YQ==","value":"Yg==","headers":[{"a":[1]}],"headers":[{"a":[2]}]}],
        "t-0": [{"topic":"t","partition":0,"offset":2}]
    }}"#;
    let batch: KafkaBatch = serde_json::from_str(event).expect("the event is read");
    assert_eq!(batch.len(), 2);
    assert_eq!(record(&batch, 0).value, Payload::Bytes(b"b"));
    assert_eq!(
        record(&batch, 0).headers().collect::<Vec<_>>(),
        [("a", &[2][..])]
    );
}

#[test]
fn events_without_positions_are_refused() {
    let refused = |event: Value| {
        serde_json::from_str::<KafkaBatch>(&event.to_string())
            .expect_err("refused")
            .to_string()
    };
    assert!(refused(json!({ "Records": [] })).contains("not a Kafka event"));
    assert!(refused(json!({ "records": { "t-0": [{ "offset": "soon" }] } })).contains("offset"));
    assert!(refused(json!({ "records": { "t": [{ "offset": 1 }] } })).contains("partition"));
    assert!(
        refused(json!({ "records": { "t-0": [{ "topic": 5, "offset": 1 }] } })).contains("topic")
    );
    assert!(refused(json!({ "records": { "t-0": [{ "offset": 1.5 }] } })).contains("offset"));
    assert!(
        refused(json!({ "records": { "t-one": [{ "offset": 1, "partition": "one" }] } }))
            .contains("partition")
    );
}

/// A record as a broker has it.
#[derive(Debug, Clone)]
struct Sent {
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    timestamp: Option<i64>,
    headers: Vec<(String, Vec<u8>)>,
}

prop_compose! {
    fn sent()(
        key in option::of(vec(any::<u8>(), 0..40)),
        value in option::of(vec(any::<u8>(), 0..200)),
        timestamp in option::of(0..=i64::MAX),
        headers in vec(("\\PC{0,10}", vec(any::<u8>(), 0..20)), 0..4),
    ) -> Sent {
        Sent { key, value, timestamp, headers }
    }
}

/// As Lambda writes it, with its signed bytes.
fn as_event(partitions: &[(String, Vec<Sent>)]) -> Value {
    let base64 = |bytes: &Option<Vec<u8>>| {
        bytes
            .as_ref()
            .map(|b| base64_simd::STANDARD.encode_to_string(b))
    };
    let header = |(name, value): &(String, Vec<u8>)| json!({ name: value.iter().map(|b| *b as i8).collect::<Vec<_>>() });
    let mut records = serde_json::Map::new();
    for (partition, (topic, sent)) in partitions.iter().enumerate() {
        let record = |(offset, s): (usize, &Sent)| {
            json!({
                "topic": topic, "partition": partition, "offset": offset * 3, "timestamp": s.timestamp.unwrap_or(-1),
                "key": base64(&s.key), "value": base64(&s.value), "headers": s.headers.iter().map(header).collect::<Vec<_>>()
            })
        };
        records.insert(
            format!("{topic}-{partition}"),
            sent.iter().enumerate().map(record).collect(),
        );
    }
    json!({ "eventSource": "SelfManagedKafka", "records": records })
}

/// Any JSON, some of it shaped like an event.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        Just(json!("YQ==")),
    ];
    let names = prop_oneof![
        Just("records"),
        Just("t-0"),
        Just("topic"),
        Just("partition"),
        Just("offset"),
        Just("timestamp"),
        Just("key"),
        Just("value"),
        Just("headers"),
        Just("x"),
    ];
    leaf.prop_recursive(6, 64, 8, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec((names.clone(), inner), 0..8)
                .prop_map(|m| m.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()),
        ]
    })
}

proptest! {
    #[test]
    fn a_record_is_read_as_sent(partitions in vec(("[a-z][a-z-]{0,8}", vec(sent(), 0..6)), 0..4)) {
        let text = as_event(&partitions).to_string();
        let batch: KafkaBatch = serde_json::from_str(&text).expect("the event is read");
        let mut read: Vec<_> = batch.records().collect();
        read.sort_by_key(|r| (r.partition, r.offset));
        prop_assert_eq!(read.len(), partitions.iter().map(|(_, sent)| sent.len()).sum::<usize>());
        let mut read = read.into_iter();
        for (partition, (topic, sent)) in partitions.iter().enumerate() {
            for (nth, sent) in sent.iter().enumerate() {
                let r = read.next().expect("as many as were sent");
                prop_assert_eq!(
                    (r.topic, r.partition, r.offset),
                    (topic.as_str(), partition as i32, nth as i64 * 3),
                );
                prop_assert_eq!(r.timestamp_ms, sent.timestamp);
                prop_assert_eq!(r.key.to_park(), sent.key.as_deref());
                prop_assert_eq!(r.value.to_park(), sent.value.as_deref());
                let headers: Vec<_> = r
                    .headers()
                    .map(|(n, v)| (n.to_owned(), v.to_vec()))
                    .collect();
                prop_assert_eq!(headers, sent.headers.clone());
            }
        }
    }

    /// The fast path agrees with the other one, and reads what Lambda writes.
    #[test]
    fn both_paths_read_the_same_batch(
        partitions in vec(("[a-z][a-z-]{0,8}", vec(sent(), 0..6)), 0..4), at in any::<prop::sample::Index>(), odd in "[ -~]?",
    ) {
        let text = as_event(&partitions).to_string();
        let spoilt = {
            let at = (0..text.len())
                .filter(|at| text.is_char_boundary(*at))
                .collect::<Vec<_>>()[at.index(text.chars().count())];
            let rest = &text[at..];
            format!("{}{odd}{}", &text[..at], &rest[rest.chars().next().map_or(0, char::len_utf8)..])
        };
        for text in [&text, &spoilt] {
            if let Some(quick) = canonical::read(text) {
                prop_assert_eq!(quick, any_form(text).expect("a sound event"), "{}", text);
            }
        }
        let usual = |sent: &Sent| {
            let plain = |name: &String| !name.contains(['"', '\\']) && name.chars().all(|c| c >= ' ');
            sent.key.is_some() && sent.value.is_some() && sent.timestamp.is_none_or(|at| at < 1 << 59) && sent.headers.iter().all(|h| plain(&h.0))
        };
        if partitions.iter().all(|(_, sent)| sent.iter().all(usual)) {
            prop_assert!(canonical::read(&text).is_some(), "{}", text);
        }
    }

    /// A field may be any JSON: its record and the next one are read.
    #[test]
    fn an_odd_field_loses_no_record(
        field in prop::sample::select(vec!["timestamp", "key", "value", "headers", "x"]), odd in any_json(),
    ) {
        let mut records = json!([{ "topic": "t", "partition": 0, "offset": 0 }, { "topic": "t", "partition": 0, "offset": 1, "value": "e30=" }]);
        records[0][field] = odd;
        let text = json!({ "records": { "t-0": records } }).to_string();
        let batch: KafkaBatch = serde_json::from_str(&text).expect("the event is read");
        prop_assert_eq!(batch.len(), 2);
        let _ = batch.get(0).expect("the odd one").parse_json::<Value>();
        prop_assert_eq!(batch.get(1).expect("its neighbour").parse_json::<Value>(), Ok(json!({})));
    }

    #[test]
    fn any_json_is_read_or_refused(
        event in any_json(),
        records in any_json(),
        partition in any_json(),
    ) {
        for event in [event, json!({ "records": records }), json!({ "records": { "t-0": [partition] } })] {
            if let Ok(batch) = serde_json::from_str::<KafkaBatch>(&event.to_string()) {
                for r in batch.records() {
                    let _ = r.parse_json::<Value>();
                    let _ = r.headers().count();
                }
            }
        }
    }

    #[test]
    fn any_bytes_are_a_message_or_an_error(bytes in vec(any::<u8>(), 0..60)) {
        let sent = Sent { key: None, value: Some(bytes), timestamp: None, headers: Vec::new() };
        let batch: KafkaBatch = serde_json::from_str(&as_event(&[("t".to_owned(), vec![sent])]).to_string()).expect("the event is read");
        if let Err(reason) = record(&batch, 0).parse_json::<Value>() {
            prop_assert!(!reason.to_string().is_empty());
        }
    }
}
