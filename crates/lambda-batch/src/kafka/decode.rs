//! Reads a Kafka event into a [`KafkaBatch`].
//!
//! The event's text is taken as a whole first. Lambda's runtime library reads events through a layer that notes the path to
//! each field, for its error messages; read field by field through it, an event costs twice as much.
//!
//! One visitor a level of the event: event, partitions, records of a partition, record, headers, header, bytes. Each writes
//! straight into the batch under construction. Repeated fields of a record: the last one counts. Repeated partitions: all count.

use std::fmt;

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::batch::{Content, HeaderSpans, KafkaBatch, RecordSpans};
use super::canonical;
use super::number::Number;

/// Only from JSON text in memory, as `serde_json::from_slice` and Lambda's runtime have it.
impl<'de> Deserialize<'de> for KafkaBatch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&RawValue>::deserialize(deserializer)?.get();
        canonical::read(text).map_or_else(|| any_form(text).map_err(D::Error::custom), Ok)
    }
}

/// Reads an event in whatever form its JSON has.
pub(super) fn any_form(text: &str) -> serde_json::Result<KafkaBatch> {
    serde_json::Deserializer::from_str(text).deserialize_map(Event)
}

/// Visitors are consumed by the value they read; this says of each what it reads.
macro_rules! expecting {
    ($what:literal) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str($what)
        }
    };
}

/// A seed that hands itself over as the visitor of whatever comes.
macro_rules! seed_of_any {
    ($name:ident, $value:ty) => {
        impl<'de> DeserializeSeed<'de> for $name<'_> {
            type Value = $value;

            fn deserialize<D: Deserializer<'de>>(
                self,
                deserializer: D,
            ) -> Result<$value, D::Error> {
                deserializer.deserialize_any(self)
            }
        }
    };
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
                "a record under {name:?} has no readable topic, partition or offset, so nothing could be acknowledged"
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

/// Records come topic by topic, so the last one is nearly always the right one.
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

/// A key or value: base64, decoded straight into the arena.
struct Base64<'a>(&'a mut KafkaBatch);

seed_of_any!(Base64, Content);

impl Base64<'_> {
    const fn odd(reason: &'static str) -> Content {
        Content::Bad { raw: 0..0, reason }
    }
}

impl<'de> Visitor<'de> for Base64<'_> {
    type Value = Content;

    expecting!("base64 or null");

    fn visit_str<E>(self, text: &str) -> Result<Content, E> {
        let arena = &mut self.0.bytes;
        let start = arena.len();
        if base64_simd::STANDARD.decode_append(text, arena).is_ok() {
            return Ok(Content::Bytes(start..arena.len()));
        }
        arena.truncate(start);
        arena.extend_from_slice(text.as_bytes());
        Ok(Content::Bad {
            raw: start..arena.len(),
            reason: "the text is not base64",
        })
    }

    fn visit_unit<E>(self) -> Result<Content, E> {
        Ok(Content::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Content, E> {
        Ok(Self::odd("a boolean instead of text"))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Content, E> {
        Ok(Self::odd("a number instead of text"))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Content, E> {
        Ok(Self::odd("a number instead of text"))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Content, E> {
        Ok(Self::odd("a number instead of text"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Content, A::Error> {
        IgnoredAny.visit_seq(seq)?;
        Ok(Self::odd("a list instead of text"))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Content, A::Error> {
        IgnoredAny.visit_map(map)?;
        Ok(Self::odd("an object instead of text"))
    }
}

/// `[{"name": [bytes]}, ...]`, or nothing.
struct Headers<'a>(&'a mut KafkaBatch);

/// What nobody can use is read over, so that the record stays.
macro_rules! scalars_are_left_out {
    ($value:expr) => {
        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok($value)
        }

        fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
            Ok($value)
        }

        fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
            Ok($value)
        }

        fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
            Ok($value)
        }

        fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
            Ok($value)
        }

        fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
            Ok($value)
        }
    };
}

seed_of_any!(Headers, ());

impl<'de> Visitor<'de> for Headers<'_> {
    type Value = ();

    expecting!("a list of headers");

    scalars_are_left_out!(());

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(OneHeader(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        OneHeader(self.0).visit_map(map)
    }
}

/// `{"name": [bytes]}`: one name by Kafka's custom, any number of them here.
struct OneHeader<'a>(&'a mut KafkaBatch);

seed_of_any!(OneHeader, ());

impl<'de> Visitor<'de> for OneHeader<'_> {
    type Value = ();

    expecting!("a header");

    scalars_are_left_out!(());

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        IgnoredAny.visit_seq(seq).map(drop)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let batch = self.0;
        while let Some(name) = map.next_key::<String>()? {
            let start = batch.bytes.len();
            batch.bytes.extend_from_slice(name.as_bytes());
            let end = batch.bytes.len();
            if map.next_value_seed(HeaderValue(&mut batch.bytes))? {
                batch.headers.push(HeaderSpans {
                    name: start..end,
                    value: end..batch.bytes.len(),
                });
            } else {
                batch.bytes.truncate(start);
            }
        }
        Ok(())
    }
}

/// Bytes as numbers, signed or not, appended to the arena. False if they are not.
struct HeaderValue<'a>(&'a mut Vec<u8>);

seed_of_any!(HeaderValue, bool);

impl<'de> Visitor<'de> for HeaderValue<'_> {
    type Value = bool;

    expecting!("a list of bytes");

    scalars_are_left_out!(false);

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
        let mut all = true;
        while let Some(n) = seq.next_element_seed(Number::Whole)? {
            match n {
                // Java's bytes are signed, everybody else's are not.
                Some(n @ -128..=255) => self.0.push(n as u8),
                _ => all = false,
            }
        }
        Ok(all)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<bool, A::Error> {
        IgnoredAny.visit_map(map).map(|_| false)
    }
}
