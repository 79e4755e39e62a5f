//! Reads a Kafka event into a [`KafkaBatch`].
//!
//! The text of the event is taken as a whole first: `lambda_runtime` deserialises through a layer
//! that records the path to each field for its error messages, which doubles the time.
//!
//! Each level of the event has a visitor, which writes into the batch. Of a repeated field of a
//! record the last one counts; of a repeated partition all records count.

use std::fmt;

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::base64::Base64;
use super::batch::{Content, KafkaBatch, RecordSpans};
use super::canonical;
use super::headers::Headers;
use super::number::Number;

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

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum EventField {
    Records,
    #[serde(other)]
    Other,
}

impl<'de> Visitor<'de> for Event {
    type Value = KafkaBatch;

    expecting!("a Kafka event");

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<KafkaBatch, A::Error> {
        let mut batch = KafkaBatch::default();
        let mut seen = false;
        while let Some(field) = map.next_key()? {
            match field {
                EventField::Records => {
                    map.next_value_seed(Partitions(&mut batch))?;
                    seen = true;
                }
                EventField::Other => drop(map.next_value::<IgnoredAny>()?),
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

    expecting!("lists of records by topic and partition");

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            map.next_value_seed(Records {
                batch: self.0,
                name: &name,
            })?;
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

seed_of_any!(Records, ());

impl<'de> Visitor<'de> for Records<'_> {
    type Value = ();

    expecting!("a list of records");

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq
            .next_element_seed(OneRecord {
                batch: self.batch,
                name: self.name,
            })?
            .is_some()
        {}
        Ok(())
    }
}

struct OneRecord<'a> {
    batch: &'a mut KafkaBatch,
    name: &'a str,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "camelCase")]
enum RecordField {
    Topic,
    Partition,
    Offset,
    Timestamp,
    Key,
    Value,
    Headers,
    #[serde(other)]
    Other,
}

seed_of_any!(OneRecord, ());

impl<'de> Visitor<'de> for OneRecord<'_> {
    type Value = ();

    expecting!("a record");

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { batch, name } = self;
        let mut topic = None;
        let mut partition = None;
        let mut offset = None;
        let mut timestamp = None;
        let mut key = Content::Null;
        let mut value = Content::Null;
        let no_headers = batch.headers.len()..batch.headers.len();
        let mut headers = no_headers.clone();
        while let Some(field) = map.next_key()? {
            match field {
                RecordField::Topic => topic = map.next_value_seed(Topic(batch))?,
                RecordField::Partition => partition = map.next_value_seed(Number::Whole)?,
                RecordField::Offset => offset = map.next_value_seed(Number::Whole)?,
                RecordField::Timestamp => timestamp = map.next_value_seed(Number::Truncated)?,
                RecordField::Key => key = map.next_value_seed(Base64(batch))?,
                RecordField::Value => value = map.next_value_seed(Base64(batch))?,
                RecordField::Headers => {
                    let start = batch.headers.len();
                    map.next_value_seed(Headers(batch))?;
                    headers = start..batch.headers.len();
                }
                RecordField::Other => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        let (of_name, partition_of_name) = name.rsplit_once('-').unzip();
        let topic = topic.or_else(|| of_name.map(|t| topic_index(batch, t)));
        let partition = partition
            .or_else(|| partition_of_name?.parse().ok())
            .and_then(|p| i32::try_from(p).ok());
        let (Some(topic), Some(partition), Some(offset)) = (
            topic,
            partition.filter(|p| *p >= 0),
            offset.filter(|o| *o >= 0),
        ) else {
            return Err(A::Error::custom(format_args!(
                "a record under {name:?} has no readable topic, partition or offset, so it could not be \
                 acknowledged"
            )));
        };
        let timestamp_ms = timestamp.filter(|t| *t >= 0);
        batch.entries.push(RecordSpans {
            topic,
            partition,
            offset,
            timestamp_ms,
            key,
            value,
            headers,
        });
        Ok(())
    }
}

/// A topic's name, as an index into the batch's list of them.
struct Topic<'a>(&'a mut KafkaBatch);

seed_of_any!(Topic, Option<usize>);

impl Visitor<'_> for Topic<'_> {
    type Value = Option<usize>;

    expecting!("the name of a topic");

    fn visit_str<E>(self, name: &str) -> Result<Option<usize>, E> {
        Ok(Some(topic_index(self.0, name)))
    }

    fn visit_unit<E>(self) -> Result<Option<usize>, E> {
        Ok(None)
    }
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
