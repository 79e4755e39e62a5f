//! How far librdkafka has fetched each partition, by its statistics.
//!
//! Behind the last record of a log there may be offsets that no consumer ever gets: markers of transactions, records of aborted ones,
//! records that compaction removed. Once everything that was fetched before the statistics were made has been read, those offsets need
//! nothing and are committed. Otherwise they would count as lag, and as deleted unread when retention removes them.

use std::collections::BTreeMap;

use crate::stream::{Offset, Partition};

/// Reports that must have come since the partition was assigned or moved: those before are about its earlier position.
const SETTLING: u32 = 3;

/// The next offset to fetch, by partition.
#[derive(Debug, Default)]
pub struct FetchPositions(BTreeMap<Partition, (Offset, u32)>);

impl FetchPositions {
    /// Statistics say that this is the next offset to fetch.
    pub fn reported(&mut self, partition: Partition, next: Offset) {
        let entry = self.0.entry(partition).or_default();
        *entry = (next, entry.1.saturating_add(1));
    }

    /// The partition is read from elsewhere.
    pub fn moved(&mut self, partition: Partition) {
        self.0.remove(&partition);
    }

    /// Everything before this offset was fetched. `None`: not known yet.
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
