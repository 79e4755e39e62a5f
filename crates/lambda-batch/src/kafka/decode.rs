//! Reads a Kafka event into a [`KafkaBatch`].
//!
//! The text of the event is taken as a whole first: `lambda_runtime` deserialises through a layer
//! that records the path to each field for its error messages, which doubles the time.
//!
//! An event in another form than that of `canonical` is read as JSON of any shape, one record at a
//! time. The fields of a record remain text until they are used, so an unknown field may hold any
//! JSON. Of a repeated field of a record the last one counts; of a repeated partition all records
//! count, and so do headers of one name.

use std::fmt;

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

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
    serde_json::Deserializer::from_str(text).deserialize_map(Event)
}

struct Event;

impl<'de> Visitor<'de> for Event {
    type Value = KafkaBatch;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Kafka event")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<KafkaBatch, A::Error> {
        let mut batch = KafkaBatch::default();
        let mut seen = false;
        while let Some(name) = map.next_key::<String>()? {
            if name == "records" {
                map.next_value_seed(Partitions(&mut batch))?;
                seen = true;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if seen {
            Ok(batch)
        } else {
            Err(A::Error::custom("not a Kafka event: it has no `records`"))
        }
    }
}

/// `{"topic-0": [...], ...}`
struct Partitions<'a>(&'a mut KafkaBatch);

impl<'de> DeserializeSeed<'de> for Partitions<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Partitions<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("lists of records by topic and partition")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self(batch) = self;
        while let Some(name) = map.next_key::<String>()? {
            map.next_value_seed(Records { batch, name: &name })?;
        }
        Ok(())
    }
}

/// The records of one partition.
struct Records<'a> {
    batch: &'a mut KafkaBatch,
    /// `topic-0`.
    name: &'a str,
}

impl<'de> DeserializeSeed<'de> for Records<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Records<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of records")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { batch, name } = self;
        while let Some(record) = seq.next_element()? {
            read(batch, name, &record).ok_or_else(|| {
                A::Error::custom(format_args!(
                    "a record under {name:?} has no readable topic, partition or offset, so it could not \
                     be acknowledged"
                ))
            })?;
        }
        Ok(())
    }
}

/// The members of an object, in its order and with repeated names. Their values are not read yet.
struct Members<'de>(Vec<(String, &'de RawValue)>);

impl<'de> Members<'de> {
    fn last(&self, name: &str) -> Option<&'de RawValue> {
        let found = self.0.iter().rfind(|(of, _)| of == name);
        found.map(|(_, value)| *value)
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Self(Vec::new()))
    }
}

impl<'de> Visitor<'de> for Members<'de> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        while let Some(member) = map.next_entry()? {
            self.0.push(member);
        }
        Ok(self)
    }
}

/// Adds a record of the partition `name`, such as `topic-0`. `None` if it has no position.
fn read(batch: &mut KafkaBatch, name: &str, record: &Members<'_>) -> Option<()> {
    let (topic_of_name, partition_of_name) = name.rsplit_once('-').unzip();
    let topic = match record.last("topic") {
        Some(topic) if topic.get() != "null" => text(topic)?,
        _ => topic_of_name?.to_owned(),
    };
    let topic = topic_index(batch, &topic);
    let partition = record.last("partition").and_then(whole);
    let partition = partition.or_else(|| partition_of_name?.parse().ok())?;
    let partition = i32::try_from(partition).ok().filter(|p| *p >= 0)?;
    let offset = record.last("offset").and_then(whole).filter(|o| *o >= 0)?;
    let timestamp_ms = record.last("timestamp").and_then(truncated);
    let first_header = batch.headers.len();
    if let Some(headers) = record.last("headers") {
        add_headers(batch, headers);
    }
    let key = content(batch, record.last("key"));
    let value = content(batch, record.last("value"));
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
fn add_headers(batch: &mut KafkaBatch, headers: &RawValue) {
    let list: Vec<&RawValue> =
        serde_json::from_str(headers.get()).unwrap_or_else(|_| vec![headers]);
    for header in list {
        let Ok(Members(header)) = serde_json::from_str(header.get()) else {
            continue;
        };
        for (name, value) in header {
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
}

/// Bytes as numbers: Java writes signed bytes, other languages unsigned ones.
fn header_bytes(value: &RawValue) -> Option<Vec<u8>> {
    let numbers: Vec<&RawValue> = serde_json::from_str(value.get()).ok()?;
    let byte = |n| whole(n).filter(|n| (-128..=255).contains(n));
    let bytes = numbers.into_iter().map(|n| Some(byte(n)? as u8));
    bytes.collect()
}

/// A key or value: base64, decoded into the buffer of the batch.
fn content(batch: &mut KafkaBatch, value: Option<&RawValue>) -> Content {
    let odd = |reason| Content::Bad { raw: 0..0, reason };
    let Some(value) = value else {
        return Content::Null;
    };
    match value.get().as_bytes().first() {
        Some(b'"') => {}
        Some(b'n') => return Content::Null,
        Some(b't' | b'f') => return odd("a boolean instead of text"),
        Some(b'[') => return odd("a list instead of text"),
        Some(b'{') => return odd("an object instead of text"),
        _ => return odd("a number instead of text"),
    }
    // Text with an escape that is not a character is kept for parking as it is written.
    let text = text(value).unwrap_or_else(|| value.get().to_owned());
    let start = batch.bytes.len();
    let decoded = base64_simd::STANDARD.decode_append(&text, &mut batch.bytes);
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

/// `None` if the value is not text.
fn text(value: &RawValue) -> Option<String> {
    let json = value.get();
    json.starts_with('"')
        .then(|| serde_json::from_str(json).ok())?
}

/// A partition, an offset or a byte: an integer, as a number or as text.
fn whole(value: &RawValue) -> Option<i64> {
    number(value, |n| n.fract() == 0.0)
}

/// A time: a number, or text, whose fraction is dropped.
fn truncated(value: &RawValue) -> Option<i64> {
    number(value, |_| true)
}

/// `None` beyond the integers that a double represents exactly, unless it is written as an integer.
fn number(value: &RawValue, allowed: impl Fn(f64) -> bool) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let text = text(value);
    let digits = text.as_deref().unwrap_or_else(|| value.get());
    let double = || {
        let n: f64 = digits.parse().ok()?;
        (n.abs() <= EXACT && allowed(n)).then_some(n as i64)
    };
    digits.parse().ok().or_else(double)
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

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
