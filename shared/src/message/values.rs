//! Values with meaning: identity, money, seats. Constructors refuse what is invalid.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A value out of its bounds; says which and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {rule}")]
pub struct BadValue {
    /// What was refused, e.g. `order number`.
    pub what: &'static str,
    /// What is allowed.
    pub rule: &'static str,
}

const fn bad<T>(what: &'static str, rule: &'static str) -> Result<T, BadValue> {
    Err(BadValue { what, rule })
}

/// Most seats in one order.
pub const MAX_SEATS_PER_ORDER: usize = 20;

/// One of 64 fixed logical shards: the hash tag of every gate key of a program. Written `s00`..`s63`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(u8);

impl Shard {
    /// How many shards there are; fixed for the life of an installation.
    pub const COUNT: u8 = 64;

    /// `n` in 0..64.
    pub fn new(n: u8) -> Result<Self, BadValue> {
        if n < Self::COUNT { Ok(Self(n)) } else { bad("shard", "0 to 63") }
    }

    /// The number, 0..64.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// All of them, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{:02}", self.0)
    }
}

/// Identity of an order: 63 bits = 41 of milliseconds since 2024-01-01 UTC, 6 of shard, 16 random.
///
/// A string in JSON and in Lua: doubles lose digits above 2^53. Never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderNumber(u64);

impl OrderNumber {
    /// 2024-01-01T00:00:00Z in milliseconds since 1970.
    pub const EPOCH_MS: u64 = 1_704_067_200_000;

    /// Makes a number from the time (milliseconds since 1970), the program's shard and 16 random bits.
    pub fn compose(now_ms: u64, shard: Shard, random: u16) -> Result<Self, BadValue> {
        let since = now_ms.checked_sub(Self::EPOCH_MS).filter(|ms| *ms > 0 && *ms < 1 << 41);
        match since {
            Some(ms) => Ok(Self(ms << 22 | u64::from(shard.get()) << 16 | u64::from(random))),
            None => bad("time of an order number", "between 2024-01-01 and 2093"),
        }
    }

    /// From its 63 bits, as Postgres keeps them.
    pub fn new(n: i64) -> Result<Self, BadValue> {
        match u64::try_from(n) {
            Ok(n) if n > 0 => Ok(Self(n)),
            _ => bad("order number", "1 to 9223372036854775807"),
        }
    }

    /// For Postgres' BIGINT.
    pub const fn get(self) -> i64 {
        self.0 as i64
    }

    /// The shard inside the number.
    pub const fn shard(self) -> Shard {
        Shard((self.0 >> 16 & 63) as u8)
    }

    /// When the number was made, milliseconds since 1970, by the gate's clock.
    pub const fn made_at_ms(self) -> u64 {
        (self.0 >> 22) + Self::EPOCH_MS
    }
}

impl fmt::Display for OrderNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for OrderNumber {
    type Err = BadValue;

    fn from_str(s: &str) -> Result<Self, BadValue> {
        const RULE: &str = "1 to 9223372036854775807 in decimal digits, without leading zeros";
        if s.is_empty() || s.len() > 19 || s.starts_with('0') || !s.bytes().all(|b| b.is_ascii_digit()) {
            return bad("order number", RULE);
        }
        match s.parse::<i64>() {
            Ok(n) => Self::new(n),
            Err(_) => bad("order number", RULE),
        }
    }
}

/// 128 random bits that tell two orders of the same number apart (after a loss of Redis). 32 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Nonce([u8; 16]);

impl Nonce {
    /// From random bytes.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn bytes(self) -> [u8; 16] {
        self.0
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for b in self.0 {
            write!(f, "{b:02x}")?;
        }
        Ok(())
    }
}

impl FromStr for Nonce {
    type Err = BadValue;

    fn from_str(s: &str) -> Result<Self, BadValue> {
        let mut bytes = [0; 16];
        let lower = s.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if !lower || hex::decode_to_slice(s, &mut bytes).is_err() {
            return bad("nonce", "32 lower-case hex digits");
        }
        Ok(Self(bytes))
    }
}

/// Identity of a program (an event on sale): 1 to 2^53 - 1. A string in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProgramId(i64);

impl ProgramId {
    /// `n` in 1..2^53.
    pub fn new(n: i64) -> Result<Self, BadValue> {
        if (1..1 << 53).contains(&n) { Ok(Self(n)) } else { bad("program id", "1 to 9007199254740991") }
    }

    /// For Postgres' BIGINT.
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for ProgramId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ProgramId {
    type Err = BadValue;

    fn from_str(s: &str) -> Result<Self, BadValue> {
        let digits = !s.is_empty() && s.len() <= 16 && s.bytes().all(|b| b.is_ascii_digit()) && !s.starts_with('0');
        match s.parse::<i64>() {
            Ok(n) if digits => Self::new(n),
            _ => bad("program id", "1 to 9007199254740991 in decimal digits"),
        }
    }
}

/// Number of a ticket category within its program, 0..100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct CategoryNo(u16);

impl CategoryNo {
    /// `n` in 0..100.
    pub fn new(n: u16) -> Result<Self, BadValue> {
        if n < 100 { Ok(Self(n)) } else { bad("category", "0 to 99") }
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl TryFrom<u16> for CategoryNo {
    type Error = BadValue;

    fn try_from(n: u16) -> Result<Self, BadValue> {
        Self::new(n)
    }
}

impl From<CategoryNo> for u16 {
    fn from(c: CategoryNo) -> Self {
        c.0
    }
}

impl fmt::Display for CategoryNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A seat's index within its program, 0..1,000,000. Never changes; new seats are appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct SeatIndex(u32);

impl SeatIndex {
    /// `n` in 0..1,000,000.
    pub fn new(n: u32) -> Result<Self, BadValue> {
        if n < 1_000_000 { Ok(Self(n)) } else { bad("seat", "0 to 999999") }
    }

    /// The index.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for SeatIndex {
    type Error = BadValue;

    fn try_from(n: u32) -> Result<Self, BadValue> {
        Self::new(n)
    }
}

impl From<SeatIndex> for u32 {
    fn from(s: SeatIndex) -> Self {
        s.0
    }
}

impl fmt::Display for SeatIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Money in cents, 0 to 1,000,000,000,000 (ten thousand million units of the currency). Never a fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Cents(i64);

impl Cents {
    /// `n` in 0..=10^12.
    pub fn new(n: i64) -> Result<Self, BadValue> {
        if (0..=1_000_000_000_000).contains(&n) { Ok(Self(n)) } else { bad("amount", "0 to 1000000000000 cents") }
    }

    /// For Postgres' BIGINT.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// This price times a number of tickets; refused when it leaves the bounds.
    pub fn times(self, tickets: usize) -> Result<Self, BadValue> {
        let total = i64::try_from(tickets).ok().and_then(|n| self.0.checked_mul(n));
        match total {
            Some(n) => Self::new(n),
            None => bad("amount", "0 to 1000000000000 cents"),
        }
    }
}

impl TryFrom<i64> for Cents {
    type Error = BadValue;

    fn try_from(n: i64) -> Result<Self, BadValue> {
        Self::new(n)
    }
}

impl From<Cents> for i64 {
    fn from(c: Cents) -> Self {
        c.0
    }
}

macro_rules! text_value {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal, $rule:literal, $allowed:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checked; refuses what is empty, too long or has other characters.
            pub fn new(s: impl Into<String>) -> Result<Self, BadValue> {
                let s = s.into();
                let allowed: fn(u8) -> bool = $allowed;
                if s.is_empty() || s.len() > $max || !s.bytes().all(allowed) { bad($what, $rule) } else { Ok(Self(s)) }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadValue;

            fn try_from(s: String) -> Result<Self, BadValue> {
                Self::new(s)
            }
        }

        impl From<$name> for String {
            fn from(v: $name) -> Self {
                v.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

text_value!(
    /// A buyer: the `sub` claim of a token. 1 to 128 visible ASCII characters (so no NUL, no space).
    UserId, "user id", 128, "1 to 128 visible ASCII characters", |b| b.is_ascii_graphic()
);

text_value!(
    /// The client's Idempotency-Key, scoped to user and program. 1 to 64 visible ASCII characters.
    IdempotencyKey, "idempotency key", 64, "1 to 64 visible ASCII characters", |b| b.is_ascii_graphic()
);

macro_rules! schema {
    ($name:ident, $schema:tt) => {
        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($schema)
            }
        }
    };
}

schema!(CategoryNo, { "type": "integer", "minimum": 0, "maximum": 99 });
schema!(SeatIndex, { "type": "integer", "minimum": 0, "maximum": 999_999 });
schema!(Cents, { "type": "integer", "minimum": 0, "maximum": 1_000_000_000_000_i64 });
schema!(UserId, { "type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$" });
schema!(IdempotencyKey, { "type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[!-~]+$" });
schema!(OrderNumber, { "type": "string", "pattern": "^[1-9][0-9]{0,18}$" });
schema!(ProgramId, { "type": "string", "pattern": "^[1-9][0-9]{0,15}$" });
schema!(Nonce, { "type": "string", "pattern": "^[0-9a-f]{32}$" });

macro_rules! as_string {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

as_string!(OrderNumber);
as_string!(ProgramId);
as_string!(Nonce);
