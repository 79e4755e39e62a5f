//! What was tried with the records of each partition, as far as a destination is told of it.

use std::collections::BTreeMap;

use event_sources::stream::{Offset, Partition, Slice};

/// Failed invocations in a row that carried a partition's oldest records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::kafka) struct Tried {
    /// Of the last one.
    pub(in crate::kafka) request_id: String,
    /// How many they were.
    pub(in crate::kafka) invocations: u32,
    /// The last one ended with an error of the function; false: it answered which records failed.
    pub(in crate::kafka) function_error: bool,
    last: Offset,
}

/// By partition.
#[derive(Debug, Default)]
pub(in crate::kafka) struct History(BTreeMap<Partition, Tried>);

impl History {
    /// An invocation with this slice failed.
    pub(in crate::kafka) fn failed(
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
        // what a cut left behind was in the failed invocation as well
        let last = before.map_or(slice.last, |tried| tried.last.max(slice.last));
        self.0.insert(
            slice.partition,
            Tried {
                request_id: request_id.to_owned(),
                invocations,
                function_error,
                last,
            },
        );
    }

    /// What was tried with records that begin here.
    pub(in crate::kafka) fn of(&self, slice: &Slice) -> Option<&Tried> {
        self.0
            .get(&slice.partition)
            .filter(|tried| slice.first <= tried.last)
    }

    /// Partitions that are this host's no more.
    pub(in crate::kafka) fn forget(&mut self, partitions: &[Partition]) {
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
    fn attempts_count_while_a_batch_is_cut_and_begin_anew_behind_it() {
        let mut history = History::default();
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
