//! Numbers in events: integers, fractions, or text.

use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Reads a number; `None` for any other value. Never fails on valid JSON.
pub(super) enum Number {
    /// An integer: a partition or an offset, which must not be rounded.
    Whole,
    /// A number whose fraction is dropped: a time.
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
    /// `None` beyond the integers that a double represents exactly.
    fn of_double(&self, n: f64) -> Option<i64> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        let allowed = match self {
            Self::Whole => n.fract() == 0.0,
            Self::Truncated => true,
        };
        (n.abs() <= EXACT && allowed).then_some(n.trunc() as i64)
    }
}
