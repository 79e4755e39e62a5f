//! Numbers as the world writes them: whole, fractional, or as text.

use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Reads a number, or nothing where there is none to be read. Never fails on valid JSON.
pub(super) enum Number {
    /// A whole one: a partition or an offset, which nobody may guess.
    Whole,
    /// One whose fraction, if any, is dropped: a time.
    Truncated,
}

impl<'de> DeserializeSeed<'de> for Number {
    type Value = Option<i64>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Number {
    type Value = Option<i64>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a number")
    }

    fn visit_i64<E>(self, n: i64) -> Result<Self::Value, E> {
        Ok(Some(n))
    }

    fn visit_u64<E>(self, n: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(n).ok())
    }

    fn visit_f64<E>(self, n: f64) -> Result<Self::Value, E> {
        Ok(self.of_double(n))
    }

    fn visit_str<E>(self, s: &str) -> Result<Self::Value, E> {
        Ok(s.parse().ok().or_else(|| self.of_double(s.parse().ok()?)))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
        IgnoredAny.visit_seq(seq).map(|_| None)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        IgnoredAny.visit_map(map).map(|_| None)
    }
}

impl Number {
    /// Nothing outside of what a double counts exactly.
    fn of_double(&self, n: f64) -> Option<i64> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        let allowed = match self {
            Self::Whole => n.fract() == 0.0,
            Self::Truncated => true,
        };
        (n.abs() <= EXACT && allowed).then_some(n.trunc() as i64)
    }
}
