//! `Barrier`: a record of the orders' topic that requests nothing.

#[cfg(test)]
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::values::Nonce;

/// Sent by storefront to a partition of `{env}-order-create`. Schema version 1.
///
/// Order-create stores no order for it and only advances its progress over it. Progress behind a
/// barrier therefore proves that order-create has handled everything that the partition held when
/// the barrier was appended, whatever stands between the last order and the end of the log:
/// transaction markers, aborted records, or offsets whose records were deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Barrier {
    /// Schema version: 1.
    #[cfg_attr(test, schemars(range(min = 1, max = 1)))]
    pub v: u16,
    /// Distinguishes this barrier from every other: 128 random bits.
    pub barrier: Nonce,
}

impl Barrier {
    /// A barrier of this version.
    pub const fn new(token: Nonce) -> Self {
        Self {
            v: 1,
            barrier: token,
        }
    }

    /// The record's value.
    pub fn encode(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| unreachable!("a number and a text are JSON"))
    }

    /// Reads the value of a record. Nothing if it is no barrier, or one of a version that this
    /// program does not read. Unknown fields are tolerated.
    pub fn read(value: &[u8]) -> Option<Self> {
        strict_json::from_slice::<Self>(value)
            .ok()
            .filter(|barrier| barrier.v == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::super::published_tests::assert_current;
    use super::*;

    #[test]
    fn a_barrier_reads_back() {
        let barrier = Barrier::new(Nonce::new([0xab; 16]));
        assert_eq!(Barrier::read(barrier.encode().as_bytes()), Some(barrier));
    }

    #[test]
    fn only_a_barrier_of_this_version_is_one() {
        let token = "ab".repeat(16);
        for other in [
            format!(r#"{{"v":2,"barrier":"{token}"}}"#),
            format!(r#"{{"barrier":"{token}"}}"#),
            r#"{"v":1,"barrier":"7"}"#.to_owned(),
            r#"{"v":1,"order":"7"}"#.to_owned(),
            "noise".to_owned(),
            format!(r#"[1,"{token}"]"#),
        ] {
            assert_eq!(Barrier::read(other.as_bytes()), None, "{other}");
        }
        assert!(
            Barrier::read(format!(r#"{{"v":1,"barrier":"{token}","more":0}}"#).as_bytes())
                .is_some()
        );
    }

    #[test]
    fn the_published_schema_of_barriers_is_current() {
        assert_current::<Barrier>("barrier.v1.json");
    }
}
