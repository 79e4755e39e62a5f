//! Reads headers.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::batch::{HeaderSpans, KafkaBatch};
use super::number::Number;

/// `[{"name": [bytes]}, ...]`, or no headers.
pub(super) struct Headers<'a>(pub(super) &'a mut KafkaBatch);

/// A scalar in place of headers is ignored, so that its record is kept.
macro_rules! ignore_scalars {
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

    ignore_scalars!(());

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(OneHeader(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        OneHeader(self.0).visit_map(map)
    }
}

/// `{"name": [bytes]}`: usually one name, here any number.
struct OneHeader<'a>(&'a mut KafkaBatch);

seed_of_any!(OneHeader, ());

impl<'de> Visitor<'de> for OneHeader<'_> {
    type Value = ();

    expecting!("a header");

    ignore_scalars!(());

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

/// Bytes as numbers, signed or unsigned, appended to the buffer. False if they are not.
struct HeaderValue<'a>(&'a mut Vec<u8>);

seed_of_any!(HeaderValue, bool);

impl<'de> Visitor<'de> for HeaderValue<'_> {
    type Value = bool;

    expecting!("a list of bytes");

    ignore_scalars!(false);

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
        let mut all = true;
        while let Some(n) = seq.next_element_seed(Number::Whole)? {
            match n {
                // Java writes signed bytes, other languages unsigned ones.
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
