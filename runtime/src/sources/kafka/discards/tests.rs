//! Failure records, field by field.

use std::time::Duration;

use event_sources::stream::{DiscardReason, Partition, Slice};
use rdkafka::message::Headers as _;
use sam_template::model::{KafkaKind, KafkaMapping, StartingPosition};
use serde_json::{Value, json};

use super::attempts::AttemptHistory;
use super::*;
use crate::destinations::{FailureRecord, Metadata, owned_headers};
use crate::sources::kafka::buffer::{Buffer, Chunk};

const P: Partition = Partition {
    topic: 0,
    number: 3,
};

/// A mapping of the topic `orders`.
pub(in crate::sources::kafka) fn mapping(kind: KafkaKind) -> KafkaMapping {
    KafkaMapping {
        id: "F.E".into(),
        function: "F".into(),
        bootstrap_servers: "127.0.0.1:9092".into(),
        security: sam_template::model::KafkaSecurity::default(),
        kind,
        topics: vec!["orders".into()],
        group: "g".into(),
        start: StartingPosition::TrimHorizon,
        batch_size: 10,
        batching_window: Duration::ZERO,
        partial_responses: true,
        bisect: false,
        max_retries: Some(0),
        max_age: None,
        on_failure: None,
        filters: None,
        enabled: true,
    }
}

fn documents(
    kind: KafkaKind,
    reason: DiscardReason,
    attempts: Option<&Attempts>,
    each: bool,
) -> Vec<(Value, Metadata)> {
    let document = |record: FailureRecord| {
        let body = serde_json::from_str(&record.bodies[0].text).unwrap();
        (body, record.metadata)
    };
    discard(kind, reason, attempts, each)
        .into_iter()
        .map(document)
        .collect()
}

fn discard(
    kind: KafkaKind,
    reason: DiscardReason,
    attempts: Option<&Attempts>,
    each: bool,
) -> Vec<FailureRecord> {
    let mut chunk = Chunk::default();
    for offset in [41, 42] {
        let record = json!({
            "topic": "orders", "partition": 3, "offset": offset, "key": "AP8=",
            "headers": [{"trace": [65, -128]}],
        });
        chunk.push(offset, 1_545_084_650_000 + offset, |out| {
            out.extend_from_slice(record.to_string().as_bytes());
        });
    }
    let mut buffer = Buffer::default();
    buffer.accept(P, chunk);
    let slice = Slice {
        partition: P,
        first: 41,
        last: 42,
        records: 2,
    };
    let discarded = Discarded {
        slice: &slice,
        reason,
        attempts,
        records: &buffer.records(&slice),
        payload_size: 99,
        own_id: "own",
        now: jiff::Timestamp::from_millisecond(1_573_755_365_568).unwrap(),
    };
    let context = FailureContext {
        mapping: &mapping(kind),
        function_arn: "arn:aws:lambda:us-east-1:000000000000:function:s-F",
    };
    failure_records(context, &discarded, each)
}

fn attempts() -> Attempts {
    let mut history = AttemptHistory::default();
    let slice = Slice {
        partition: P,
        first: 41,
        last: 42,
        records: 2,
    };
    history.failed(&slice, "request", false);
    history.failed(&slice, "request", true);
    history.of(&slice).unwrap().clone()
}

#[test]
fn a_queue_receives_the_positions_of_the_records() {
    let found = documents(
        KafkaKind::Msk {
            arn: "arn:msk".into(),
        },
        DiscardReason::RetriesExhausted,
        Some(&attempts()),
        false,
    );
    let expected = json!({
        "requestContext": {
            "requestId": "request",
            "functionArn": "arn:aws:lambda:us-east-1:000000000000:function:s-F",
            "condition": "RetryAttemptsExhausted", "approximateInvokeCount": 2,
        },
        "responseContext": {
            "statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled",
        },
        "version": "1.0",
        "timestamp": "2019-11-14T18:16:05.568Z",
        "KafkaBatchInfo": {
            "batchSize": 2, "eventSourceArn": "arn:msk",
            "bootstrapServers": "127.0.0.1:9092", "payloadSize": 99,
            "recordsInfo": {"orders-3": {
                "firstRecordOffset": "41", "lastRecordOffset": "42",
                "firstRecordTimestamp": "2018-12-17T22:10:50.041Z",
                "lastRecordTimestamp": "2018-12-17T22:10:50.042Z",
            }},
        },
    });
    assert_eq!(found, [(expected, Metadata::None)]);
}

#[test]
fn a_topic_receives_each_record() {
    let found = documents(
        KafkaKind::SelfManaged,
        DiscardReason::RetriesExhausted,
        Some(&attempts()),
        true,
    );
    assert_eq!(found.len(), 2);
    let (document, metadata) = &found[1];
    assert_eq!(document["requestContext"]["condition"], "RetriesExhausted");
    let info = &document["KafkaBatchInfo"];
    assert_eq!(
        (&info["batchSize"], info.get("eventSourceArn")),
        (&json!(1), None)
    );
    assert_eq!(
        info["recordInfo"],
        json!({"offset": "42", "timestamp": "2018-12-17T22:10:50.042Z"})
    );
    assert_eq!(info["payloadSize"], document["payload"].to_string().len());
    assert_eq!(document["payload"]["eventSource"], "SelfManagedKafka");
    assert_eq!(document["payload"]["records"]["orders-3"][0]["offset"], 42);
    let Metadata::KeyAndHeaders { key, headers } = metadata else {
        panic!("{metadata:?}");
    };
    assert_eq!(key.as_deref(), Some(&[0, 255][..]));
    let headers = owned_headers(headers).unwrap();
    assert_eq!(
        (headers.get(0).key, headers.get(0).value),
        ("trace", Some(&[65, 128][..]))
    );
}

#[test]
fn records_without_an_invocation_have_no_response() {
    for (reason, condition) in [
        (DiscardReason::TooOld, "RecordAgeExceeded"),
        (DiscardReason::TooLarge, "MaximumPayloadSizeExceeded"),
    ] {
        let (document, _) = documents(KafkaKind::SelfManaged, reason, None, false).remove(0);
        assert_eq!(document["responseContext"], Value::Null);
        let context = &document["requestContext"];
        assert_eq!(
            (&context["condition"], &context["requestId"]),
            (&json!(condition), &json!("own"))
        );
        assert_eq!(context["approximateInvokeCount"], 0);
    }
}

#[test]
fn the_reduced_document_has_the_position() {
    let small = |each| -> Vec<Value> {
        let records = discard(
            KafkaKind::SelfManaged,
            DiscardReason::RetriesExhausted,
            Some(&attempts()),
            each,
        );
        records
            .iter()
            .map(|record| serde_json::from_str(&record.bodies[1].text).unwrap())
            .collect()
    };
    let of_topic = small(true);
    let omitted = json!({
        "reason": "TooLargeForDestination",
        "topic": "orders",
        "partition": 3,
        "offset": "42",
        "valueSize": null,
    });
    assert_eq!(
        (of_topic[1].get("payload"), &of_topic[1]["payloadOmitted"]),
        (None, &omitted)
    );
    assert_eq!(of_topic[1]["KafkaBatchInfo"]["recordInfo"]["offset"], "42");
    let of_queue = &small(false)[0];
    assert_eq!(
        (&of_queue["detailsOmitted"], of_queue.get("responseContext")),
        (&json!(true), None)
    );
    assert_eq!(
        of_queue["KafkaBatchInfo"]["recordsInfo"]["orders-3"]["lastRecordOffset"],
        "42"
    );
    assert!(
        of_queue.to_string().len() < 1_024,
        "the lowest limit of a queue"
    );
}
