//! Whether order-create has stored all that the gate may have lost. Pure.

use std::collections::BTreeMap;

use crate::store::Progress;

/// Whether every order that was accepted before a filling began is a row: `progress` has passed all of its end offsets (JSON, by
/// partition). Text that cannot be read has not been passed.
pub fn has_passed(ends: &str, progress: &[Progress]) -> bool {
    let Ok(ends) = serde_json::from_str::<BTreeMap<i32, i64>>(ends) else { return false };
    let next = |partition| progress.iter().find(|p| p.partition == partition).map_or(0, |p| p.next_offset);
    ends.into_iter().all(|(partition, end)| next(partition) >= end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_partition_must_have_been_passed() {
        let at = |partition, next_offset| Progress { partition, incarnation: 1, next_offset, appended_ms: None };
        let ends = r#"{"0":5,"1":0,"2":7}"#;
        assert!(has_passed(ends, &[at(0, 5), at(2, 9)]));
        assert!(!has_passed(ends, &[at(0, 5), at(2, 6)]));
        assert!(!has_passed(ends, &[at(0, 5)]));
        assert!(has_passed("{}", &[]));
        assert!(!has_passed("", &[at(0, 9)]));
    }
}
