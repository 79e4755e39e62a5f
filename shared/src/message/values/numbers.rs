//! Numbers: categories, seats, money, versions.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{BadValue, bad};

/// Number of a ticket category within its program, 0..100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct CategoryNo(u16);

impl CategoryNo {
    /// `n` in 0..100.
    pub fn new(n: u16) -> Result<Self, BadValue> {
        if n < 100 {
            Ok(Self(n))
        } else {
            bad("category", "0 to 99")
        }
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
        if n < 1_000_000 {
            Ok(Self(n))
        } else {
            bad("seat", "0 to 999999")
        }
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

/// Money in cents, 0 to 1,000,000,000,000 (ten thousand million units of the currency). Never a
/// fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct Cents(i64);

impl Cents {
    /// `n` in 0..=10^12.
    pub fn new(n: i64) -> Result<Self, BadValue> {
        if (0..=1_000_000_000_000).contains(&n) {
            Ok(Self(n))
        } else {
            bad("amount", "0 to 1000000000000 cents")
        }
    }

    /// For Postgres' BIGINT.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// This price times a number of tickets. Fails if the result is out of bounds.
    pub fn times(self, tickets: usize) -> Result<Self, BadValue> {
        let total = i64::try_from(tickets)
            .ok()
            .and_then(|n| self.0.checked_mul(n));
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

/// Version of a program, 1 to 2^53 - 1: raised by every change, never reset. A number in JSON,
/// exact in JavaScript and in Lua.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct ProgramVersion(i64);

impl ProgramVersion {
    /// The version of a program that was just created.
    pub const FIRST: Self = Self(1);

    /// `n` in 1..2^53.
    pub fn new(n: i64) -> Result<Self, BadValue> {
        if (1..1 << 53).contains(&n) {
            Ok(Self(n))
        } else {
            bad("version", "1 to 9007199254740991")
        }
    }

    /// For Postgres' BIGINT.
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl TryFrom<i64> for ProgramVersion {
    type Error = BadValue;

    fn try_from(n: i64) -> Result<Self, BadValue> {
        Self::new(n)
    }
}

impl From<ProgramVersion> for i64 {
    fn from(v: ProgramVersion) -> Self {
        v.0
    }
}

impl fmt::Display for ProgramVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ProgramVersion {
    type Err = BadValue;

    fn from_str(s: &str) -> Result<Self, BadValue> {
        const RULE: &str = "1 to 9007199254740991 in decimal digits, without leading zeros";
        if s.is_empty()
            || s.len() > 16
            || s.starts_with('0')
            || !s.bytes().all(|b| b.is_ascii_digit())
        {
            return bad("version", RULE);
        }
        match s.parse() {
            Ok(n) => Self::new(n),
            Err(_) => bad("version", RULE),
        }
    }
}

schema!(CategoryNo, { "type": "integer", "minimum": 0, "maximum": 99 });
schema!(SeatIndex, { "type": "integer", "minimum": 0, "maximum": 999_999 });
schema!(Cents, { "type": "integer", "minimum": 0, "maximum": 1_000_000_000_000_i64 });
schema!(ProgramVersion, { "type": "integer", "minimum": 1, "maximum": 9_007_199_254_740_991_i64 });
