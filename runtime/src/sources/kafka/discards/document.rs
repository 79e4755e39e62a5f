//! Failure records in the service's format.
//!
//! For a queue: "Capturing discarded batches for Amazon MSK and self-managed Apache Kafka event
//! sources" in Lambda's guide. For a topic: "Using a Kafka topic as an on-failure destination". The
//! two pages use different names for exhausted retries.

use event_sources::stream::{DiscardReason, Partition, Slice};
use jiff::Timestamp;
use sam_template::model::{KafkaKind, KafkaMapping};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::Attempts;
use crate::destinations::{Body, FailureRecord, Metadata};
use crate::sources::kafka::encode;
use crate::sources::kafka::record::OriginalRecord;

/// The fields that all failure records of a mapping share.
#[derive(Debug, Clone, Copy)]
pub(in crate::sources::kafka) struct FailureContext<'a> {
    pub(in crate::sources::kafka) mapping: &'a KafkaMapping,
    pub(in crate::sources::kafka) function_arn: &'a str,
}

impl FailureContext<'_> {
    /// `topic-partition`.
    fn place(&self, partition: Partition) -> String {
        format!(
            "{}-{}",
            self.mapping.topics[partition.topic], partition.number
        )
    }
}

/// Records that the mapping discards.
#[derive(Debug)]
pub(in crate::sources::kafka) struct Discarded<'a> {
    pub(in crate::sources::kafka) slice: &'a Slice,
    pub(in crate::sources::kafka) reason: DiscardReason,
    /// `None`: the function was never invoked with them.
    pub(in crate::sources::kafka) attempts: Option<&'a Attempts>,
    /// JSON and time of each record, in milliseconds since 1970; negative: none.
    pub(in crate::sources::kafka) records: &'a [(&'a [u8], i64)],
    /// Size of their event in bytes.
    pub(in crate::sources::kafka) payload_size: usize,
    /// Identifies the failure record if no invocation has a request id.
    pub(in crate::sources::kafka) own_id: &'a str,
    pub(in crate::sources::kafka) now: Timestamp,
}

/// A failure record for each discarded record (topics) or one for all of them (queues).
pub(in crate::sources::kafka) fn failure_records(
    context: FailureContext<'_>,
    discarded: &Discarded<'_>,
    each: bool,
) -> Vec<FailureRecord> {
    if each {
        return discarded
            .records
            .iter()
            .map(|(record, time)| for_record(context, discarded, record, *time))
            .collect();
    }
    let complete = for_batch(context, discarded);
    let reduced = without_details(&complete);
    let Slice {
        partition,
        first,
        records,
        ..
    } = *discarded.slice;
    vec![FailureRecord {
        bodies: vec![
            Body::complete(complete.to_string()),
            Body::reduced(reduced.to_string()),
        ],
        metadata: Metadata::None,
        position: format!("{}-{first}", context.place(partition)),
        records: records as u64,
    }]
}

/// The minimum for a queue: function and positions.
fn without_details(complete: &Value) -> Value {
    let context = &complete["requestContext"];
    json!({
        "requestContext": {
            "requestId": context["requestId"],
            "functionArn": context["functionArn"],
            "condition": context["condition"],
        },
        "KafkaBatchInfo": { "recordsInfo": complete["KafkaBatchInfo"]["recordsInfo"] },
        "detailsOmitted": true,
    })
}

fn for_batch(context: FailureContext<'_>, discarded: &Discarded<'_>) -> Value {
    let Slice {
        partition,
        first,
        last,
        ..
    } = *discarded.slice;
    let times = [discarded.records.first(), discarded.records.last()]
        .map(|record| record.and_then(|(_, time)| timestamp(*time)));
    let name = context.place(partition);
    let mut batch = batch(context, discarded.records.len(), discarded.payload_size);
    batch["recordsInfo"] = json!({ name: {
        "firstRecordOffset": first.to_string(),
        "lastRecordOffset": last.to_string(),
        "firstRecordTimestamp": times[0],
        "lastRecordTimestamp": times[1],
    } });
    let mut document = frame(context, discarded, condition(discarded.reason, false));
    document["KafkaBatchInfo"] = batch;
    document
}

fn for_record(
    context: FailureContext<'_>,
    discarded: &Discarded<'_>,
    record: &[u8],
    time: i64,
) -> FailureRecord {
    let partition = discarded.slice.partition;
    let mut payload = encode::envelope(context.mapping);
    encode::partition_start(
        &context.mapping.topics[partition.topic],
        partition.number,
        true,
        &mut payload,
    );
    payload.extend_from_slice(record);
    payload.push(encode::PARTITION_END);
    payload.extend_from_slice(encode::EVENT_END);
    let original = strict_json::from_slice(record)
        .ok()
        .and_then(|record| OriginalRecord::parse(&record));
    let mut document = frame(context, discarded, condition(discarded.reason, true));
    let mut batch = batch(context, 1, payload.len());
    batch["recordInfo"] = json!({
        "offset": original.as_ref().map(|original| original.offset.to_string()),
        "timestamp": timestamp(time),
    });
    document["KafkaBatchInfo"] = batch;
    let complete = with_payload(&document, payload);
    let offset = original
        .as_ref()
        .map_or(discarded.slice.first, |original| original.offset);
    let topic = &context.mapping.topics[partition.topic];
    document["payloadOmitted"] = json!({
        "reason": "TooLargeForDestination",
        "topic": topic,
        "partition": partition.number,
        "offset": offset.to_string(),
        "valueSize": original.as_ref().and_then(|original| original.value.as_ref()).map(Vec::len),
    });
    FailureRecord {
        bodies: complete
            .map(Body::complete)
            .into_iter()
            .chain([Body::reduced(document.to_string())])
            .collect(),
        metadata: original.map_or(Metadata::None, |original| Metadata::KeyAndHeaders {
            key: original.key,
            headers: original.headers,
        }),
        position: format!("{topic}-{}-{offset}", partition.number),
        records: 1,
    }
}

/// Adds the payload byte for byte. `None`: the payload is not valid JSON.
fn with_payload(document: &Value, payload: Vec<u8>) -> Option<String> {
    let payload = String::from_utf8(payload).ok()?;
    strict_json::from_str::<&RawValue>(&payload).ok()?;
    let mut complete = document.to_string();
    complete.truncate(complete.len() - 1);
    complete.extend([",\"payload\":", &payload, "}"]);
    Some(complete)
}

fn frame(context: FailureContext<'_>, discarded: &Discarded<'_>, condition: &str) -> Value {
    let attempts = discarded.attempts;
    let response = attempts.map(|attempts| {
        let mut response = json!({ "statusCode": 200, "executedVersion": "$LATEST" });
        if attempts.function_error {
            response["functionError"] = "Unhandled".into();
        }
        response
    });
    json!({
        "requestContext": {
            "requestId": attempts.map_or(discarded.own_id, |attempts| &attempts.request_id),
            "functionArn": context.function_arn,
            "condition": condition,
            "approximateInvokeCount": attempts.map_or(0, |attempts| attempts.invocations),
        },
        "responseContext": response,
        "version": "1.0",
        "timestamp": instant(discarded.now),
    })
}

fn batch(context: FailureContext<'_>, records: usize, payload_size: usize) -> Value {
    let mut batch = json!({
        "batchSize": records,
        "bootstrapServers": context.mapping.bootstrap_servers,
        "payloadSize": payload_size,
    });
    if let KafkaKind::Msk { arn } = &context.mapping.kind {
        batch["eventSourceArn"] = arn.as_str().into();
    }
    batch
}

fn condition(reason: DiscardReason, topic: bool) -> &'static str {
    match reason {
        DiscardReason::RetriesExhausted if topic => "RetriesExhausted",
        DiscardReason::RetriesExhausted => "RetryAttemptsExhausted",
        DiscardReason::TooOld => "RecordAgeExceeded",
        DiscardReason::TooLarge => "MaximumPayloadSizeExceeded",
        DiscardReason::Skipped => "SkippedByOperator",
    }
}

fn timestamp(milliseconds: i64) -> Option<String> {
    (milliseconds >= 0)
        .then(|| Timestamp::from_millisecond(milliseconds).ok().map(instant))
        .flatten()
}

fn instant(at: Timestamp) -> String {
    format!("{at:.3}")
}
