//! Who is who: shards, order numbers, nonces, programs.

use std::fmt;
use std::str::FromStr;

use super::{BadValue, bad};

/// One of 64 fixed logical shards: the hash tag of every gate key of a program. Written
/// `s00`..`s63`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(u8);

impl Shard {
    /// The lowest shard: no order number of the same time is lower than one of this shard.
    pub const FIRST: Self = Self(0);

    /// Number of shards, fixed for the life of an installation.
    pub const COUNT: u8 = 64;

    /// `n` in 0..64.
    pub fn new(n: u8) -> Result<Self, BadValue> {
        if n < Self::COUNT {
            Ok(Self(n))
        } else {
            bad("shard", "0 to 63")
        }
    }

    /// The number, 0..64.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// All shards, ascending.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }
}

as_number!(Shard(u8), { "type": "integer", "minimum": 0, "maximum": 63 });

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

    /// Composes a number from the time (ms since 1970), the program's shard and 16 random bits.
    pub fn compose(now_ms: u64, shard: Shard, random: u16) -> Result<Self, BadValue> {
        let since = now_ms
            .checked_sub(Self::EPOCH_MS)
            .filter(|ms| *ms > 0 && *ms < 1 << 41);
        match since {
            Some(ms) => Ok(Self(
                ms << 22 | u64::from(shard.get()) << 16 | u64::from(random),
            )),
            None => bad("time of an order number", "between 2024-01-01 and 2093"),
        }
    }

    /// From its 63 bits, as stored in Postgres.
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

    /// When the number was composed, ms since 1970 by the gate's clock.
    pub const fn made_at_ms(self) -> u64 {
        (self.0 >> 22) + Self::EPOCH_MS
    }
}

impl fmt::Display for OrderNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

from_digits!(
    OrderNumber,
    19,
    "order number",
    "1 to 9223372036854775807 in decimal digits, without leading zeros"
);
as_string!(OrderNumber, "^[1-9][0-9]{0,18}$");

/// Fixed numbers of bytes, written as lower-case hex digits.
macro_rules! hex_values {
    ($($(#[$doc:meta])* $name:ident, $bytes:literal, $digits:literal, $what:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// From its bytes.
            pub const fn new(bytes: [u8; $bytes]) -> Self {
                Self(bytes)
            }

            /// The bytes.
            pub const fn bytes(self) -> [u8; $bytes] {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut digits = [0; 2 * $bytes];
                hex::encode_to_slice(self.0, &mut digits).map_err(|_| fmt::Error)?;
                f.write_str(str::from_utf8(&digits).map_err(|_| fmt::Error)?)
            }
        }

        impl FromStr for $name {
            type Err = BadValue;

            fn from_str(s: &str) -> Result<Self, BadValue> {
                let mut bytes = [0; $bytes];
                let lower = s.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
                if !lower || hex::decode_to_slice(s, &mut bytes).is_err() {
                    return bad($what, concat!($digits, " lower-case hex digits"));
                }
                Ok(Self(bytes))
            }
        }

        as_string!($name, concat!("^[0-9a-f]{", $digits, "}$"));
    )*};
}

hex_values! {
    /// 128 random bits that distinguish two orders of the same number, which a loss of Redis can
    /// cause. 32 lower-case hex digits.
    Nonce, 16, 32, "nonce";

    /// Identity of one call of the API: 128 random bits. 32 lower-case hex digits.
    CallId, 16, 32, "call id";

    /// Identity of a W3C trace. 32 lower-case hex digits.
    TraceId, 16, 32, "trace id";

    /// SHA-256 hash of a request with an Idempotency-Key. Requests with the same key and hash are
    /// the same. 64 lower-case hex digits.
    BodyHash, 32, 64, "body hash";
}

number_values! {
    /// Identity of a program (an event on sale): 1 to 2^53 - 1. A string in JSON.
    ProgramId(i64), 1..1 << 53, "program id", "1 to 9007199254740991";
}

from_digits!(
    ProgramId,
    16,
    "program id",
    "1 to 9007199254740991 in decimal digits"
);
as_string!(ProgramId, "^[1-9][0-9]{0,15}$");
