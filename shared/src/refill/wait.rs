//! Whether order-create has stored everything that the gate may have lost. Pure.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::protection::{Protection, removed};
use crate::store::Progress;

/// A barrier's place in its partition: the offset behind it, and its log-append time, ms since
/// 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BarrierPlace(pub i64, pub i64);

/// The barriers that a filling waits for, by partition. Stored in the program's header as text:
/// `{"0":[12,1800000000000]}`.
///
/// The time distinguishes this topic from a deleted one of the same name, whose progress is older
/// than the barrier whatever its offsets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Barriers(pub BTreeMap<i32, BarrierPlace>);

impl Barriers {
    /// Parses the output of [`fmt::Display`]; `None` for any other text.
    pub fn read(text: &str) -> Option<Self> {
        strict_json::from_str(text).ok()
    }

    /// Whether order-create has passed all barriers. Then every order accepted before them is a row
    /// or never will be.
    pub fn are_passed(&self, progress: &[Progress]) -> bool {
        removed(Protection::ClosedRebuild)
            || self
                .0
                .keys()
                .all(|partition| self.is_passed(*partition, progress))
    }

    /// Whether order-create has passed the barrier of a partition. True without a barrier.
    pub fn is_passed(&self, partition: i32, progress: &[Progress]) -> bool {
        let Some(BarrierPlace(behind, appended_ms)) = self.0.get(&partition) else {
            return true;
        };
        let passed = |p: &Progress| {
            p.next_offset >= *behind && p.appended_ms.is_some_and(|ms| ms >= *appended_ms)
        };
        progress
            .iter()
            .any(|p| p.partition == partition && passed(p))
    }
}

impl fmt::Display for Barriers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            &serde_json::to_string(&self.0)
                .unwrap_or_else(|_| unreachable!("a map of numbers is JSON")),
        )
    }
}

/// Whether `progress` has passed all barriers of the text. False if the text cannot be read.
pub fn has_passed(barriers: &str, progress: &[Progress]) -> bool {
    Barriers::read(barriers).is_some_and(|barriers| barriers.are_passed(progress))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(partition: i32, next_offset: i64, appended_ms: i64) -> Progress {
        Progress {
            partition,
            incarnation: 1,
            next_offset,
            appended_ms: Some(appended_ms),
        }
    }

    #[test]
    fn every_partition_must_be_passed() {
        let barriers = r#"{"0":[5,100],"2":[7,100]}"#;
        assert!(has_passed(barriers, &[at(0, 5, 100), at(2, 9, 130)]));
        assert!(!has_passed(barriers, &[at(0, 5, 100), at(2, 6, 130)]));
        assert!(!has_passed(barriers, &[at(0, 5, 100)]));
        assert!(has_passed("{}", &[]));
        for unreadable in ["", r#"{"0":5}"#, "null"] {
            assert!(!has_passed(unreadable, &[at(0, 9, 900)]), "{unreadable}");
        }
    }

    #[test]
    fn progress_of_an_earlier_topic_passes_nothing() {
        let barriers = r#"{"0":[5,100]}"#;
        assert!(!has_passed(barriers, &[at(0, 1_000, 99)]));
        assert!(!has_passed(
            barriers,
            &[Progress {
                appended_ms: None,
                ..at(0, 1_000, 0)
            }]
        ));
        assert!(has_passed(barriers, &[at(0, 5, 101)]));
    }

    #[test]
    fn barriers_read_back() {
        let barriers = Barriers(BTreeMap::from([
            (0, BarrierPlace(5, 100)),
            (3, BarrierPlace(1, 99)),
        ]));
        assert_eq!(Barriers::read(&barriers.to_string()), Some(barriers));
    }
}
