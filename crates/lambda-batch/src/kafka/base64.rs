//! Reads keys and values.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::batch::{Content, KafkaBatch};

/// A key or value: base64, decoded into the buffer of the batch.
pub(super) struct Base64<'a>(pub(super) &'a mut KafkaBatch);

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
        let buffer = &mut self.0.bytes;
        let start = buffer.len();
        if base64_simd::STANDARD.decode_append(text, buffer).is_ok() {
            return Ok(Content::Bytes(start..buffer.len()));
        }
        buffer.truncate(start);
        buffer.extend_from_slice(text.as_bytes());
        Ok(Content::Bad {
            raw: start..buffer.len(),
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
