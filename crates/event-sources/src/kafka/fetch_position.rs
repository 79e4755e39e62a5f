//! The fetch position of each partition, from the statistics of librdkafka.
//!
//! Behind the last record of a log there may be offsets that no consumer receives: transaction
//! markers, records of aborted transactions, records that compaction removed. Once all records that
//! were fetched before the statistics have been read, those offsets are committed. Otherwise they
//! would count as lag, and as deleted unread when retention removes them.

use std::collections::BTreeMap;

use crate::stream::{Offset, Partition};

/// Reports that must arrive after an assignment or a move: earlier ones may hold the old position.
const SETTLING: u32 = 3;

/// The next offset to fetch, by partition.
#[derive(Debug, Default)]
pub struct FetchPositions(BTreeMap<Partition, (Offset, u32)>);

impl FetchPositions {
    /// Records the next offset to fetch, as reported by the statistics.
    pub fn reported(&mut self, partition: Partition, next: Offset) {
        let entry = self.0.entry(partition).or_default();
        *entry = (next, entry.1.saturating_add(1));
    }

    /// The partition was moved: reports so far are void.
    pub fn moved(&mut self, partition: Partition) {
        self.0.remove(&partition);
    }

    /// The offset before which everything was fetched, if known.
    pub fn through(&self, partition: Partition) -> Option<Offset> {
        self.0
            .get(&partition)
            .filter(|(_, reports)| *reports >= SETTLING)
            .map(|(next, _)| *next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_from_before_a_move_do_not_count() {
        let partition = Partition {
            topic: 0,
            number: 1,
        };
        let mut fetched = FetchPositions::default();
        for _ in 0..SETTLING {
            assert_eq!(fetched.through(partition), None);
            fetched.reported(partition, 50);
        }
        assert_eq!(fetched.through(partition), Some(50));
        fetched.moved(partition);
        fetched.reported(partition, 50);
        assert_eq!(fetched.through(partition), None, "perhaps the old position");
    }
}
