//! Failed invocations of the records of each partition. Pure.

use std::collections::BTreeMap;

use event_sources::stream::{Offset, Partition, Slice};

/// Consecutive failed invocations with the oldest records of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sources::kafka) struct Attempts {
    /// Of the last invocation.
    pub(in crate::sources::kafka) request_id: String,
    /// Number of invocations.
    pub(in crate::sources::kafka) invocations: u32,
    /// The last invocation ended with a function error; false: its response named the failed
    /// records.
    pub(in crate::sources::kafka) function_error: bool,
    last: Offset,
}

/// By partition.
#[derive(Debug, Default)]
pub(in crate::sources::kafka) struct AttemptHistory(BTreeMap<Partition, Attempts>);

impl AttemptHistory {
    /// Counts a failed invocation with this slice.
    pub(in crate::sources::kafka) fn failed(
        &mut self,
        slice: &Slice,
        request_id: &str,
        function_error: bool,
    ) {
        let before = self
            .0
            .get(&slice.partition)
            .filter(|tried| slice.first <= tried.last);
        let invocations = before
            .map_or(0, |tried| tried.invocations)
            .saturating_add(1);
        // the rest of a bisected batch was part of the failed invocation
        let last = before.map_or(slice.last, |tried| tried.last.max(slice.last));
        self.0.insert(
            slice.partition,
            Attempts {
                request_id: request_id.to_owned(),
                invocations,
                function_error,
                last,
            },
        );
    }

    /// The attempts with records that begin with this slice.
    pub(in crate::sources::kafka) fn of(&self, slice: &Slice) -> Option<&Attempts> {
        self.0
            .get(&slice.partition)
            .filter(|tried| slice.first <= tried.last)
    }

    /// Removes partitions that were revoked.
    pub(in crate::sources::kafka) fn forget(&mut self, partitions: &[Partition]) {
        self.0
            .retain(|partition, _| !partitions.contains(partition));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: Partition = Partition {
        topic: 0,
        number: 1,
    };

    fn slice(first: Offset, last: Offset) -> Slice {
        Slice {
            partition: P,
            first,
            last,
            records: 1,
        }
    }

    #[test]
    fn attempts_count_until_the_batch_is_passed() {
        let mut history = AttemptHistory::default();
        for (first, last) in [(0, 7), (0, 3), (4, 7), (4, 5)] {
            history.failed(&slice(first, last), "r", true);
        }
        assert_eq!(
            history.of(&slice(4, 4)).map(|tried| tried.invocations),
            Some(4)
        );
        assert_eq!(history.of(&slice(8, 9)), None);
        history.failed(&slice(8, 9), "s", false);
        assert_eq!(
            history
                .of(&slice(8, 8))
                .map(|tried| (tried.invocations, tried.function_error)),
            Some((1, false))
        );
        history.forget(&[P]);
        assert_eq!(history.of(&slice(8, 8)), None);
    }
}
