//! A choice of partitions that keeps batches large.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use rdkafka::producer::{PARTITION_UA, Partitioner};

/// Appends all records of a time window to one partition, and those of the next window to the next
/// partition.
///
/// librdkafka sends one request for each partition that has records. By the hash of a key, the
/// records of one `linger.ms` are spread over all partitions, so few of them share a request. With a
/// window of `linger.ms` they share one. (KIP-480 does this for records without a key; librdkafka's
/// `sticky.partitioning.linger.ms` as well, and only for those.)
///
/// Not for topics whose consumers need the records of one key in one partition.
#[derive(Debug, Clone)]
pub struct StickyPartitions {
    window: Duration,
    start: Instant,
    /// The window at `start`. Random, so that the producers of several processes append to several
    /// partitions.
    first: u32,
}

impl StickyPartitions {
    /// Changes the partition after each `window`, which is at least a millisecond.
    pub fn new(window: Duration) -> Self {
        Self {
            window: window.max(Duration::from_millis(1)),
            start: Instant::now(),
            first: RandomState::new().hash_one(()) as u32,
        }
    }

    /// The partition at a time. The next one that is available, if it has no leader; without any,
    /// librdkafka keeps the record until the topic's next metadata.
    fn at(&self, now: Instant, count: i32, is_available: impl Fn(i32) -> bool) -> i32 {
        let Some(partitions) = u128::try_from(count).ok().filter(|count| *count > 0) else {
            return PARTITION_UA;
        };
        let windows = now.saturating_duration_since(self.start).as_nanos() / self.window.as_nanos();
        let sticky = ((u128::from(self.first) + windows) % partitions) as i32;
        (sticky..count)
            .chain(0..sticky)
            .find(|partition| is_available(*partition))
            .unwrap_or(sticky)
    }
}

impl Partitioner for StickyPartitions {
    fn partition(
        &self,
        _topic: &str,
        _key: Option<&[u8]>,
        count: i32,
        is_available: impl Fn(i32) -> bool,
    ) -> i32 {
        self.at(Instant::now(), count, is_available)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_millis(5);

    fn sticky() -> StickyPartitions {
        StickyPartitions {
            first: 2,
            ..StickyPartitions::new(WINDOW)
        }
    }

    #[test]
    fn the_records_of_a_window_share_a_partition() {
        let sticky = sticky();
        let at = |time| sticky.at(sticky.start + time, 4, |_| true);
        let windows = [0, 1, 2, 3, 4].map(|n| {
            let begin = WINDOW * n;
            let end = begin + Duration::from_nanos(4_999_999);
            assert_eq!(at(begin), at(end));
            at(begin)
        });
        assert_eq!(windows, [2, 3, 0, 1, 2]);
    }

    #[test]
    fn a_partition_without_leader_is_passed_over() {
        let sticky = sticky();
        let at = |available: &[i32]| sticky.at(sticky.start, 4, |p| available.contains(&p));
        assert_eq!(at(&[0, 1, 2, 3]), 2);
        assert_eq!(at(&[0, 3]), 3);
        assert_eq!(at(&[0, 1]), 0);
        assert_eq!(at(&[]), 2);
    }

    #[test]
    fn a_topic_without_partitions_has_none_to_choose() {
        let sticky = sticky();
        for count in [0, -1] {
            assert_eq!(sticky.at(sticky.start, count, |_| true), PARTITION_UA);
        }
    }
}
