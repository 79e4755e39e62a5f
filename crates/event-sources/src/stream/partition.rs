//! One partition: its held records, the segments of its front, and its progress.

use crate::Millis;
use std::collections::VecDeque;

use super::{DiscardReason, Offset, Partition, Record, Slice};

/// A run of records at the front that travels unchanged: the rest of a slice that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) records: usize,
    /// Failed attempts.
    pub(super) attempts: u32,
}

/// Records at the front that wait for delivery to the destination.
#[derive(Debug, Clone, Copy)]
pub(super) struct PendingDiscard {
    pub(super) records: usize,
    pub(super) reason: DiscardReason,
    pub(super) sent: bool,
    pub(super) attempts: u32,
}

#[derive(Debug, Default)]
pub(super) struct PartitionState {
    /// Changes with every assignment. A result of an earlier epoch is void.
    pub(super) epoch: u64,
    queue: VecDeque<(Record, Millis)>,
    pub(super) bytes: usize,
    /// Segments of the front of the queue. The records behind have not been attempted.
    segments: VecDeque<Segment>,
    /// Earliest time of the next invocation.
    pub(super) not_before: Millis,
    pub(super) held: Option<PendingDiscard>,
    pub(super) paused: bool,
    /// One past the last record that is done: the offset to commit.
    pub(super) done: Option<Offset>,
    /// Last offset that a filter dropped. Done when the records before it are.
    skipped: Option<Offset>,
    pub(super) committed: Option<Offset>,
}

impl PartitionState {
    pub(super) fn new(epoch: u64) -> Self {
        Self {
            epoch,
            not_before: Millis::MIN,
            ..Self::default()
        }
    }

    pub(super) fn push(&mut self, records: &[Record], now: Millis) {
        for record in records {
            debug_assert!(
                self.queue
                    .back()
                    .is_none_or(|(last, _)| last.offset < record.offset)
            );
            self.bytes += record.size;
            self.queue.push_back((*record, now));
        }
    }

    /// Marks the records up to `through` that did not arrive as done. Returns the new progress, if
    /// it moved.
    pub(super) fn skip(&mut self, through: Offset) -> Option<Offset> {
        self.skipped = self.skipped.max(Some(through));
        self.pass_skipped()
    }

    /// Dropped records are done once no record before them is held.
    fn pass_skipped(&mut self) -> Option<Offset> {
        let through = self.skipped.filter(|_| self.queue.is_empty())?;
        self.skipped = None;
        if self.done.is_some_and(|done| done > through) {
            return None;
        }
        self.done = Some(through + 1);
        Some(through)
    }

    /// Offset of the oldest record held.
    pub(super) fn first(&self) -> Option<Offset> {
        self.queue.front().map(|(record, _)| record.offset)
    }

    /// Timestamp of the oldest record held, if it has one.
    pub(super) fn first_time(&self) -> Option<Millis> {
        self.queue
            .front()
            .map(|(record, _)| record.time)
            .filter(|time| *time >= 0)
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// When the oldest record arrived.
    pub(super) fn oldest_arrival(&self) -> Millis {
        self.queue
            .front()
            .map_or(Millis::MAX, |(_, arrived)| *arrived)
    }

    pub(super) fn retry(&self) -> Option<Segment> {
        self.segments.front().copied()
    }

    /// The first `records` as a slice. `None` for 0, or if fewer are held.
    pub(super) fn front(&self, partition: Partition, records: usize) -> Option<Slice> {
        let last = self.queue.get(records.checked_sub(1)?)?.0.offset;
        let first = self.queue.front()?.0.offset;
        Some(Slice {
            partition,
            first,
            last,
            records,
        })
    }

    /// How many records of the front fit into `count` records and `bytes` bytes (a comma each
    /// included), and their bytes.
    pub(super) fn fitting(&self, count: usize, bytes: usize) -> (usize, usize) {
        let mut used = 0;
        let mut taken = 0;
        for (record, _) in self.queue.iter().take(count) {
            let size = record.size + 1;
            if used + size > bytes {
                break;
            }
            used += size;
            taken += 1;
        }
        (taken, used)
    }

    pub(super) fn first_size(&self) -> usize {
        self.queue.front().map_or(0, |(record, _)| record.size)
    }

    /// Number of records at the front that are older than `limit`.
    pub(super) fn expired(&self, now: Millis, limit: Millis) -> usize {
        self.queue
            .iter()
            .take_while(|(record, _)| record.is_older(now, limit))
            .count()
    }

    /// How many of the first `records` precede the first one that is older than `limit`.
    pub(super) fn young(&self, records: usize, now: Millis, limit: Millis) -> usize {
        self.queue
            .iter()
            .take(records)
            .take_while(|(record, _)| !record.is_older(now, limit))
            .count()
    }

    /// Splits the front segment behind its first `records`. Both parts keep its attempts.
    pub(super) fn split(&mut self, records: usize) {
        let Some(segment) = self
            .segments
            .front_mut()
            .filter(|segment| segment.records > records)
        else {
            return;
        };
        let rest = Segment {
            records: segment.records - records,
            attempts: segment.attempts,
        };
        segment.records = records;
        self.segments.insert(1, rest);
    }

    /// Index within the first `records` of the lowest of `offsets`. Returns an offset that none of
    /// them has as the error.
    pub(super) fn lowest(
        &self,
        records: usize,
        offsets: impl Iterator<Item = Offset>,
    ) -> Result<Option<usize>, Offset> {
        let mut lowest: Option<usize> = None;
        let records = records.min(self.queue.len());
        for offset in offsets {
            let at = self
                .queue
                .partition_point(|(record, _)| record.offset < offset);
            if at >= records || self.queue[at].0.offset != offset {
                return Err(offset);
            }
            lowest = Some(lowest.map_or(at, |found| found.min(at)));
        }
        Ok(lowest)
    }

    /// Removes the first `records`, which are done or discarded. Returns the offset up to which
    /// everything is done.
    pub(super) fn finish(&mut self, records: usize) -> Option<Offset> {
        let mut last = None;
        for (record, _) in self.queue.drain(..records.min(self.queue.len())) {
            self.bytes -= record.size;
            last = Some(record.offset);
        }
        self.uncut(records);
        if let Some(last) = last {
            self.done = Some(last + 1);
        }
        self.pass_skipped().or(last)
    }

    /// Replaces the segments of the first `records`, which failed.
    pub(super) fn recut(&mut self, records: usize, segments: &[Segment]) {
        self.uncut(records);
        for segment in segments.iter().rev() {
            self.segments.push_front(*segment);
        }
    }

    /// Removes the segments of the first `records`.
    fn uncut(&mut self, records: usize) {
        let mut over = records;
        while over > 0
            && let Some(segment) = self.segments.front_mut()
        {
            let part = over.min(segment.records);
            segment.records -= part;
            over -= part;
            if segment.records == 0 {
                self.segments.pop_front();
            }
        }
    }

    /// The offset to commit, unless it is committed already.
    pub(super) fn uncommitted(&self) -> Option<Offset> {
        self.done.filter(|done| self.committed != Some(*done))
    }
}
