//! What is told of records that were given up, in the service's words.
//!
//! For a queue: "Capturing discarded batches for Amazon MSK and self-managed Apache Kafka event sources" in Lambda's guide.
//! For a topic: "Using a Kafka topic as an on-failure destination". The two call running out of retries differently.

use jiff::Timestamp;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{Body, Letter, Tried};
use crate::kafka::encode;
use crate::kafka::record::Original;
use crate::model::{KafkaKind, KafkaMapping};
use event_sources::stream::{DiscardReason, Slice};

/// What does not change while a mapping runs.
#[derive(Debug, Clone)]
pub(in crate::kafka) struct Context {
    pub(in crate::kafka) mapping: KafkaMapping,
    pub(in crate::kafka) function_arn: String,
}

/// Records that are given up.
#[derive(Debug)]
pub(in crate::kafka) struct GivenUp<'a> {
    pub(in crate::kafka) slice: &'a Slice,
    pub(in crate::kafka) reason: DiscardReason,
    /// `None`: no function ever saw them.
    pub(in crate::kafka) tried: Option<&'a Tried>,
    /// Each as its JSON and its time in milliseconds since 1970; negative: none.
    pub(in crate::kafka) records: &'a [(&'a [u8], i64)],
    /// Bytes of the event that they make.
    pub(in crate::kafka) payload_size: usize,
    /// Names the letter where no invocation gives it a name.
    pub(in crate::kafka) own_id: &'a str,
    pub(in crate::kafka) now: Timestamp,
}

/// One letter about all of them, or, for a topic, one about each. Each in every form, the whole one first.
pub(in crate::kafka) fn letters(
    context: &Context,
    given_up: &GivenUp<'_>,
    each: bool,
) -> Vec<Letter> {
    if each {
        return given_up
            .records
            .iter()
            .map(|(record, time)| about_one(context, given_up, record, *time))
            .collect();
    }
    let whole = about_all(context, given_up);
    let less = without_details(&whole);
    let Slice {
        partition,
        first,
        records,
        ..
    } = *given_up.slice;
    vec![Letter {
        bodies: vec![
            Body::whole(whole.to_string()),
            Body::reduced(less.to_string()),
        ],
        original: None,
        about: format!(
            "{}-{}-{first}",
            context.mapping.topics[partition.topic], partition.number
        ),
        records,
    }]
}

/// What a queue needs at least: whose records they are and where they stand.
fn without_details(whole: &Value) -> Value {
    let context = &whole["requestContext"];
    json!({
        "requestContext": {
            "requestId": context["requestId"],
            "functionArn": context["functionArn"],
            "condition": context["condition"],
        },
        "KafkaBatchInfo": { "recordsInfo": whole["KafkaBatchInfo"]["recordsInfo"] },
        "detailsOmitted": true,
    })
}

fn about_all(context: &Context, given_up: &GivenUp<'_>) -> Value {
    let Slice {
        partition,
        first,
        last,
        ..
    } = *given_up.slice;
    let times = [given_up.records.first(), given_up.records.last()]
        .map(|record| record.and_then(|(_, time)| moment(*time)));
    let name = format!(
        "{}-{}",
        context.mapping.topics[partition.topic], partition.number
    );
    let mut batch = batch(context, given_up.records.len(), given_up.payload_size);
    batch["recordsInfo"] = json!({ name: {
        "firstRecordOffset": first.to_string(),
        "lastRecordOffset": last.to_string(),
        "firstRecordTimestamp": times[0],
        "lastRecordTimestamp": times[1],
    } });
    let mut document = frame(context, given_up, condition(given_up.reason, false));
    document["KafkaBatchInfo"] = batch;
    document
}

fn about_one(context: &Context, given_up: &GivenUp<'_>, record: &[u8], time: i64) -> Letter {
    let partition = given_up.slice.partition;
    let mut payload = encode::envelope(&context.mapping);
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
        .and_then(|record| Original::read(&record));
    let mut document = frame(context, given_up, condition(given_up.reason, true));
    let mut batch = batch(context, 1, payload.len());
    batch["recordInfo"] = json!({
        "offset": original.as_ref().map(|original| original.offset.to_string()),
        "timestamp": moment(time),
    });
    document["KafkaBatchInfo"] = batch;
    let whole = with_payload(&document, payload);
    let offset = original
        .as_ref()
        .map_or(given_up.slice.first, |original| original.offset);
    let topic = &context.mapping.topics[partition.topic];
    document["payloadOmitted"] = json!({
        "reason": "TooLargeForDestination",
        "topic": topic,
        "partition": partition.number,
        "offset": offset.to_string(),
        "valueSize": original.as_ref().and_then(|original| original.value.as_ref()).map(Vec::len),
    });
    Letter {
        bodies: whole
            .map(Body::whole)
            .into_iter()
            .chain([Body::reduced(document.to_string())])
            .collect(),
        about: format!("{topic}-{}-{offset}", partition.number),
        original,
        records: 1,
    }
}

/// The document with the payload as it is: parsing and writing the payload again could only change it. `None`: it is no JSON.
fn with_payload(document: &Value, payload: Vec<u8>) -> Option<String> {
    let payload = String::from_utf8(payload).ok()?;
    strict_json::from_str::<&RawValue>(&payload).ok()?;
    let mut whole = document.to_string();
    whole.truncate(whole.len() - 1);
    whole.extend([",\"payload\":", &payload, "}"]);
    Some(whole)
}

fn frame(context: &Context, given_up: &GivenUp<'_>, condition: &str) -> Value {
    let tried = given_up.tried;
    let response = tried.map(|tried| {
        let mut response = json!({ "statusCode": 200, "executedVersion": "$LATEST" });
        if tried.function_error {
            response["functionError"] = "Unhandled".into();
        }
        response
    });
    json!({
        "requestContext": {
            "requestId": tried.map_or(given_up.own_id, |tried| &tried.request_id),
            "functionArn": context.function_arn,
            "condition": condition,
            "approximateInvokeCount": tried.map_or(0, |tried| tried.invocations),
        },
        "responseContext": response,
        "version": "1.0",
        "timestamp": instant(given_up.now),
    })
}

fn batch(context: &Context, records: usize, payload_size: usize) -> Value {
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

fn moment(milliseconds: i64) -> Option<String> {
    (milliseconds >= 0)
        .then(|| Timestamp::from_millisecond(milliseconds).ok().map(instant))
        .flatten()
}

fn instant(at: Timestamp) -> String {
    format!("{at:.3}")
}
