//! The next due time of each shard in the view of one worker. Pure.
//!
//! There are two sources, and their messages may cross: the result of a claim (the earliest due
//! time when the script ran) and notifications (an earlier entry was scheduled, before or after
//! that). A notification that arrives during a claim is kept and merged with the claim's result. So
//! no notification is lost; at worst it causes a claim that finds nothing.

use crate::Shard;

/// How many entries a claim takes at least from each shard that has a backlog, as far as there are
/// slots. A script costs as much as ten entries, so few large scripts drain a backlog much faster
/// than one small script for each shard.
const BACKLOG_SHARE: usize = 128;

/// The next due times of all shards.
#[derive(Debug)]
pub(super) struct DueIndex(Vec<ShardDue>);

#[derive(Debug)]
struct ShardDue {
    shard: Shard,
    next: Next,
    /// The last claim left due entries behind.
    backlog: bool,
    /// A claim is in flight.
    claiming: bool,
    /// The earliest notification during that claim.
    notified: Option<u64>,
}

/// The next due time of a shard, milliseconds by Redis' clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Next {
    Unknown,
    At(u64),
    Never,
}

impl DueIndex {
    /// All due times are unknown.
    pub(super) fn new(shards: &[Shard]) -> Self {
        Self(
            shards
                .iter()
                .map(|shard| ShardDue {
                    shard: *shard,
                    next: Next::Unknown,
                    backlog: false,
                    claiming: false,
                    notified: None,
                })
                .collect(),
        )
    }

    /// Notifications may have been lost: every shard is to be claimed from, those with a claim in
    /// flight once more.
    pub(super) fn invalidate(&mut self) {
        for entry in &mut self.0 {
            entry.next = Next::Unknown;
            entry.backlog = false;
            entry.notified = entry.claiming.then_some(0);
        }
    }

    /// An entry of a shard is due at this time.
    pub(super) fn notify(&mut self, shard: Shard, due_ms: u64) {
        let Some(entry) = self.entry(shard) else {
            return;
        };
        if entry.claiming {
            entry.notified = Some(entry.notified.map_or(due_ms, |first| first.min(due_ms)));
        } else {
            entry.next = entry.next.min(Next::At(due_ms));
        }
    }

    /// Begins a claim of at most `slots` entries: returns the shards with due entries when Redis'
    /// clock has reached this time. Of those with a backlog only some are returned, the earliest
    /// due first. Without a clock only unknown shards are due; the claim's result sets the clock.
    pub(super) fn begin_claim(&mut self, reached_ms: Option<u64>, slots: usize) -> Vec<Shard> {
        let is_due = |entry: &ShardDue| match entry.next {
            Next::Unknown => true,
            Next::At(due) => reached_ms.is_some_and(|reached| due <= reached),
            Next::Never => false,
        };
        let mut due: Vec<&mut ShardDue> = self
            .0
            .iter_mut()
            .filter(|entry| !entry.claiming && is_due(entry))
            .collect();
        due.sort_by_key(|entry| (entry.backlog, entry.next));
        let without_backlog = due.partition_point(|entry| !entry.backlog);
        due.truncate(without_backlog + (slots / BACKLOG_SHARE).max(1));
        due.into_iter()
            .map(|entry| {
                entry.claiming = true;
                entry.shard
            })
            .collect()
    }

    /// Ends the claim with its results, which the scripts gave at `now_ms` of Redis' clock or
    /// before. A shard without a result (the claim failed, or reached its limit before that shard)
    /// stays due.
    pub(super) fn end_claim(&mut self, next: &[(Shard, Option<u64>)], now_ms: u64) {
        for (shard, next) in next {
            if let Some(entry) = self.entry(*shard) {
                entry.next = next.map_or(Next::Never, Next::At);
                entry.backlog = next.is_some_and(|due| due <= now_ms);
            }
        }
        for entry in &mut self.0 {
            entry.claiming = false;
            if let Some(notified) = entry.notified.take() {
                entry.next = entry.next.min(Next::At(notified));
            }
        }
    }

    /// The time of the next claim, 0 for immediately. `None` while no shard has a due time.
    pub(super) fn next_ms(&self) -> Option<u64> {
        let next = self
            .0
            .iter()
            .filter(|entry| !entry.claiming)
            .map(|entry| entry.next)
            .min()?;
        match next {
            Next::Unknown => Some(0),
            Next::At(due) => Some(due),
            Next::Never => None,
        }
    }

    fn entry(&mut self, shard: Shard) -> Option<&mut ShardDue> {
        self.0.iter_mut().find(|entry| entry.shard == shard)
    }
}

/// How many entries to claim: no more than there are free slots, so that no claimed entry waits.
pub(super) fn free_slots(concurrency: usize, used: usize, batch: usize) -> usize {
    concurrency.saturating_sub(used).min(batch)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(n: u8) -> Shard {
        Shard::new(n).expect("valid")
    }

    fn index() -> DueIndex {
        let mut index = DueIndex::new(&[shard(1), shard(2), shard(3)]);
        assert_eq!(
            index.begin_claim(None, 64),
            [shard(1), shard(2), shard(3)],
            "at first all are unknown"
        );
        assert_eq!(index.next_ms(), None, "all have a claim in flight");
        index.end_claim(
            &[
                (shard(1), Some(100)),
                (shard(2), Some(200)),
                (shard(3), None),
            ],
            0,
        );
        index
    }

    #[test]
    fn only_shards_with_due_entries_are_claimed_from() {
        let mut index = index();
        assert_eq!(
            (index.next_ms(), index.begin_claim(Some(99), 64)),
            (Some(100), vec![])
        );
        assert_eq!(index.begin_claim(Some(100), 64), [shard(1)]);
        assert_eq!(
            index.next_ms(),
            Some(200),
            "a shard with a claim in flight is not claimed from again"
        );
        index.end_claim(&[(shard(1), Some(150))], 0);
        assert_eq!(
            (index.next_ms(), index.begin_claim(Some(500), 64)),
            (Some(150), vec![shard(1), shard(2)])
        );
    }

    #[test]
    fn only_an_earlier_notification_changes_the_due_time() {
        let mut index = index();
        index.notify(shard(2), 50);
        index.notify(shard(2), 80);
        index.notify(shard(3), 70);
        index.notify(shard(60), 1);
        assert_eq!(
            (index.next_ms(), index.begin_claim(Some(60), 64)),
            (Some(50), vec![shard(2)])
        );
        assert_eq!(index.begin_claim(Some(70), 64), [shard(3)]);
    }

    #[test]
    fn a_notification_during_a_claim_survives_its_result() {
        let mut index = index();
        assert_eq!(index.begin_claim(Some(100), 64), [shard(1)]);
        // Scheduled after the script ran, notified before its result.
        index.notify(shard(1), 130);
        index.end_claim(&[(shard(1), Some(900))], 0);
        assert_eq!(index.next_ms(), Some(130));
    }

    #[test]
    fn a_shard_without_a_result_stays_due() {
        let mut index = index();
        assert_eq!(index.begin_claim(Some(200), 64), [shard(1), shard(2)]);
        index.end_claim(&[(shard(2), Some(200))], 0);
        assert_eq!(index.begin_claim(Some(200), 64), [shard(1), shard(2)]);
        index.end_claim(&[], 0);
        assert_eq!(index.begin_claim(Some(200), 64), [shard(1), shard(2)]);
    }

    #[test]
    fn invalidation_makes_every_shard_due_again() {
        let mut index = index();
        assert_eq!(index.begin_claim(Some(100), 64), [shard(1)]);
        index.invalidate();
        assert_eq!(index.begin_claim(Some(100), 64), [shard(2), shard(3)]);
        index.end_claim(
            &[
                (shard(1), Some(900)),
                (shard(2), Some(900)),
                (shard(3), None),
            ],
            0,
        );
        assert_eq!(
            (index.next_ms(), index.begin_claim(Some(100), 64)),
            (Some(0), vec![shard(1)])
        );
    }

    #[test]
    fn a_backlog_is_drained_a_few_shards_at_a_time() {
        let shards: Vec<Shard> = Shard::all().collect();
        let mut index = DueIndex::new(&shards);
        assert_eq!(index.begin_claim(None, 500), shards, "all are unknown");
        // All but the last two have more due entries; the higher the shard, the older.
        let next = |shard: &Shard| (*shard, Some(1000 - u64::from(shard.get())));
        let mut results: Vec<_> = shards.iter().map(next).collect();
        results[62].1 = Some(1001);
        results[63].1 = None;
        index.end_claim(&results, 1000);
        let oldest = index.begin_claim(Some(1000), 500);
        assert_eq!(oldest, [shard(61), shard(60), shard(59)]);
        // Meanwhile the others stay due, and one shard is claimed from even for a single slot.
        assert_eq!(index.begin_claim(Some(1000), 1), [shard(58)]);
        let results: Vec<_> = oldest.iter().map(|shard| (*shard, Some(2000))).collect();
        index.end_claim(&results, 1000);
        // A shard whose entry has just become due is claimed from as well.
        assert_eq!(index.begin_claim(Some(1001), 128), [shard(62), shard(58)]);
    }

    #[test]
    fn a_claim_takes_no_more_than_the_free_slots() {
        assert_eq!(free_slots(64, 0, 32), 32);
        assert_eq!(free_slots(64, 50, 32), 14);
        assert_eq!(free_slots(64, 64, 32), 0);
        assert_eq!(free_slots(64, 70, 32), 0);
    }
}
