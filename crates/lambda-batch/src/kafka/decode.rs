//! Reads a Kafka event into a [`KafkaBatch`].
//!
//! The text of the event is taken as a whole first: `lambda_runtime` deserialises through a layer
//! that records the path to each field for its error messages, which doubles the time.
//!
//! An event in another form than that of `canonical` is read as JSON of any shape. Of a repeated
//! field of a record the last one counts; of a repeated partition all records count.

use std::fmt;
use std::slice;

use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::batch::{Content, HeaderSpans, KafkaBatch, RecordSpans};
use super::canonical;

/// Only from JSON text in memory (`serde_json::from_slice`, `lambda_runtime`).
impl<'de> Deserialize<'de> for KafkaBatch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&RawValue>::deserialize(deserializer)?.get();
        canonical::read(text).map_or_else(|| any_form(text).map_err(D::Error::custom), Ok)
    }
}

/// Reads an event in any form of JSON.
pub(super) fn any_form(text: &str) -> serde_json::Result<KafkaBatch> {
    let event: Event = strict_json::from_str(text)?;
    let partitions = event
        .records
        .ok_or_else(|| serde_json::Error::custom("not a Kafka event: it has no `records`"))?;
    let mut batch = KafkaBatch::default();
    for (name, records) in partitions.0 {
        for record in records.unwrap_or_default() {
            read(&mut batch, &name, &record).ok_or_else(|| {
                serde_json::Error::custom(format_args!(
                    "a record under {name:?} has no readable topic, partition or offset, so it could not \
                     be acknowledged"
                ))
            })?;
        }
    }
    Ok(batch)
}

#[derive(Deserialize)]
struct Event {
    records: Option<Partitions>,
}

/// `{"topic-0": [...], ...}`, in the order of the event and with repeated names.
struct Partitions(Vec<(String, Option<Vec<AnyRecord>>)>);

type AnyRecord = Map<String, Value>;

impl<'de> Deserialize<'de> for Partitions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Self(Vec::new()))
    }
}

impl<'de> Visitor<'de> for Partitions {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("lists of records by topic and partition")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        while let Some(partition) = map.next_entry()? {
            self.0.push(partition);
        }
        Ok(self)
    }
}

/// Adds a record of the partition `name`, such as `topic-0`. `None` if it has no position.
fn read(batch: &mut KafkaBatch, name: &str, record: &AnyRecord) -> Option<()> {
    let (topic_of_name, partition_of_name) = name.rsplit_once('-').unzip();
    let topic = match record.get("topic") {
        Some(Value::String(topic)) => topic,
        None | Some(Value::Null) => topic_of_name?,
        Some(_) => return None,
    };
    let topic = topic_index(batch, topic);
    let partition = record.get("partition").and_then(whole);
    let partition = partition.or_else(|| partition_of_name?.parse().ok())?;
    let partition = i32::try_from(partition).ok().filter(|p| *p >= 0)?;
    let offset = record.get("offset").and_then(whole).filter(|o| *o >= 0)?;
    let timestamp_ms = record.get("timestamp").and_then(truncated);
    let first_header = batch.headers.len();
    if let Some(headers) = record.get("headers") {
        add_headers(batch, headers);
    }
    let key = content(batch, record.get("key"));
    let value = content(batch, record.get("value"));
    batch.entries.push(RecordSpans {
        topic,
        partition,
        offset,
        timestamp_ms: timestamp_ms.filter(|t| *t >= 0),
        key,
        value,
        headers: first_header..batch.headers.len(),
    });
    Some(())
}

/// Adds `[{"name": [bytes]}, ...]`: usually one name, here any number. Anything else is left out,
/// so that its record is kept.
fn add_headers(batch: &mut KafkaBatch, headers: &Value) {
    let headers = match headers {
        Value::Array(list) => list,
        one => slice::from_ref(one),
    };
    for (name, value) in headers.iter().filter_map(Value::as_object).flatten() {
        let Some(value) = header_bytes(value) else {
            continue;
        };
        let start = batch.bytes.len();
        batch.bytes.extend_from_slice(name.as_bytes());
        let end = batch.bytes.len();
        batch.bytes.extend(value);
        batch.headers.push(HeaderSpans {
            name: start..end,
            value: end..batch.bytes.len(),
        });
    }
}

/// Bytes as numbers: Java writes signed bytes, other languages unsigned ones.
fn header_bytes(value: &Value) -> Option<Vec<u8>> {
    let byte = |n| whole(n).filter(|n| (-128..=255).contains(n));
    let bytes = value.as_array()?.iter().map(|n| Some(byte(n)? as u8));
    bytes.collect()
}

/// A key or value: base64, decoded into the buffer of the batch.
fn content(batch: &mut KafkaBatch, value: Option<&Value>) -> Content {
    let odd = |reason| Content::Bad { raw: 0..0, reason };
    let text = match value {
        None | Some(Value::Null) => return Content::Null,
        Some(Value::String(text)) => text,
        Some(Value::Bool(_)) => return odd("a boolean instead of text"),
        Some(Value::Number(_)) => return odd("a number instead of text"),
        Some(Value::Array(_)) => return odd("a list instead of text"),
        Some(Value::Object(_)) => return odd("an object instead of text"),
    };
    let start = batch.bytes.len();
    let decoded = base64_simd::STANDARD.decode_append(text, &mut batch.bytes);
    if decoded.is_ok() {
        return Content::Bytes(start..batch.bytes.len());
    }
    batch.bytes.truncate(start);
    batch.bytes.extend_from_slice(text.as_bytes());
    Content::Bad {
        raw: start..batch.bytes.len(),
        reason: "the text is not base64",
    }
}

/// A partition, an offset or a byte: an integer, as a number or as text.
fn whole(value: &Value) -> Option<i64> {
    integer(value).or_else(|| double(value).filter(|n| n.fract() == 0.0).map(|n| n as i64))
}

/// A time: a number, or text, whose fraction is dropped.
fn truncated(value: &Value) -> Option<i64> {
    integer(value).or_else(|| double(value).map(|n| n as i64))
}

fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

/// `None` beyond the integers that a double represents exactly.
fn double(value: &Value) -> Option<f64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let number = value.as_f64().or_else(|| value.as_str()?.parse().ok());
    number.filter(|n| n.abs() <= EXACT)
}

/// Records are sorted by topic, so the last topic is nearly always the right one.
pub(super) fn topic_index(batch: &mut KafkaBatch, name: &str) -> usize {
    batch
        .topics
        .iter()
        .rposition(|t| t == name)
        .unwrap_or_else(|| {
            batch.topics.push(name.to_owned());
            batch.topics.len() - 1
        })
}
