//! Detects that a consumer does not move although there is something to read. Pure.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// What is known of each partition.
#[derive(Debug, Default)]
pub(super) struct StallDetector(HashMap<i32, Partition>);

#[derive(Debug)]
struct Partition {
    /// Offset behind the record that this process published last.
    published: i64,
    /// Incarnation of the topic, and the offset that the consumer reads next.
    progress: (i32, i64),
    /// Since when it has not moved, as far as is known, while there was something to read.
    since: Instant,
}

impl Partition {
    const fn is_unread(&self) -> bool {
        self.published > self.progress.1
    }
}

impl StallDetector {
    /// This process has published a record. The time begins with the first one that is unread.
    pub(super) fn published(&mut self, partition: i32, offset: i64, now: Instant) {
        let known = self.0.entry(partition).or_insert(Partition {
            published: 0,
            progress: (0, 0),
            since: now,
        });
        if !known.is_unread() {
            known.since = now;
        }
        // The last one, not the greatest: a topic that is created again begins at 0.
        known.published = offset + 1;
    }

    /// The consumer of a partition stands there, by incarnation and offset. Partitions in which this
    /// process has published nothing are of no interest.
    pub(super) fn progressed(&mut self, partition: i32, progress: (i32, i64), now: Instant) {
        if let Some(known) = self.0.get_mut(&partition)
            && known.progress != progress
        {
            known.progress = progress;
            known.since = now;
        }
    }

    /// How long the consumer has not moved in the partition where that is longest; `None` if it has
    /// read everything that this process published.
    pub(super) fn stalled_for(&self, now: Instant) -> Option<Duration> {
        let unread = self.0.values().filter(|known| known.is_unread());
        let stalled = unread.map(|known| now.saturating_duration_since(known.since));
        stalled.max()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn an_idle_topic_has_no_lag() {
        let began = Instant::now();
        let mut detector = StallDetector::default();
        assert_eq!(detector.stalled_for(began + 900 * SECOND), None);
        detector.published(0, 4, began);
        detector.progressed(0, (1, 5), began + SECOND);
        assert_eq!(detector.stalled_for(began + 900 * SECOND), None);
        // The time begins with the next record, not with the last movement.
        detector.published(0, 5, began + 900 * SECOND);
        let stalled = detector.stalled_for(began + 901 * SECOND);
        assert_eq!(stalled, Some(SECOND));
    }

    #[test]
    fn a_consumer_that_moves_has_no_stall_however_far_behind() {
        let began = Instant::now();
        let mut detector = StallDetector::default();
        for second in 0..100 {
            let now = began + second * SECOND;
            detector.published(0, i64::from(second) * 10, now);
            detector.progressed(0, (1, i64::from(second)), now);
            assert!(
                detector
                    .stalled_for(now)
                    .is_none_or(|stalled| stalled < SECOND)
            );
        }
    }

    #[test]
    fn the_slowest_partition_decides() {
        let began = Instant::now();
        let mut detector = StallDetector::default();
        for partition in [0, 1] {
            detector.published(partition, 9, began);
        }
        detector.progressed(0, (1, 5), began + 5 * SECOND);
        detector.progressed(2, (1, 5), began + 5 * SECOND);
        let now = began + 8 * SECOND;
        assert_eq!(detector.stalled_for(now), Some(8 * SECOND));
        detector.progressed(1, (1, 10), now);
        assert_eq!(detector.stalled_for(now), Some(3 * SECOND));
    }

    #[test]
    fn a_topic_that_is_created_again_ends_the_stall() {
        let began = Instant::now();
        let mut detector = StallDetector::default();
        detector.published(0, 1000, began);
        detector.progressed(0, (1, 900), began);
        let now = began + 60 * SECOND;
        detector.published(0, 0, now);
        assert_eq!(detector.stalled_for(now), None);
        detector.progressed(0, (2, 0), now);
        assert_eq!(detector.stalled_for(now + SECOND), Some(SECOND));
        detector.progressed(0, (2, 1), now + SECOND);
        assert_eq!(detector.stalled_for(now + SECOND), None);
    }
}
