//! The progress of a consumer in a partition, and whether its topic was created again. Pure.

use std::collections::BTreeMap;
use std::ops::Range;

use super::Arrival;
use super::columns::from_row;
use super::gaps::OffsetRange;

/// The stored progress of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProgressMark {
    pub(crate) incarnation: i32,
    pub(crate) next_offset: i64,
    pub(crate) appended_ms: Option<i64>,
}

from_row!(ProgressMark {
    incarnation,
    next_offset,
    appended_ms
});

/// The records that a part of a batch has of one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PartitionRange<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: i32,
    pub(crate) first_offset: i64,
    first_appended_ms: Option<i64>,
    /// Behind the last offset.
    pub(crate) next_offset: i64,
    /// Greatest log-append time, ms since 1970.
    pub(crate) appended_ms: Option<i64>,
    /// An earlier part of the same batch has records of this partition.
    continues: bool,
}

impl<'a> PartitionRange<'a> {
    /// The records of a part of a batch, by partition, ascending.
    pub(crate) fn of<M>(arrivals: &[Arrival<'a, M>], part: Range<usize>) -> Vec<Self> {
        let (before, rest) = arrivals.split_at(part.start);
        let of = |arrival: &Arrival<'a, M>| (arrival.topic, arrival.partition);
        let mut seen: BTreeMap<(&str, i32), Self> = BTreeMap::new();
        // The records of a partition follow each other.
        for run in rest[..part.len()].chunk_by(|one, next| of(one) == of(next)) {
            let continues = || before.iter().any(|earlier| of(earlier) == of(&run[0]));
            let range = seen
                .entry(of(&run[0]))
                .or_insert_with(|| Self::first(&run[0], continues()));
            for arrival in run {
                range.add(arrival);
            }
        }
        seen.into_values().collect()
    }

    fn first<M>(arrival: &Arrival<'a, M>, continues: bool) -> Self {
        Self {
            topic: arrival.topic,
            partition: arrival.partition,
            first_offset: arrival.offset,
            first_appended_ms: arrival.appended_ms,
            next_offset: arrival.offset,
            appended_ms: None,
            continues,
        }
    }

    fn range(&self, incarnation: i32, offsets: Range<i64>) -> OffsetRange {
        let topic = self.topic.to_owned();
        let partition = self.partition;
        OffsetRange {
            topic,
            partition,
            incarnation,
            from: offsets.start,
            until: offsets.end,
        }
    }

    fn add<M>(&mut self, arrival: &Arrival<'a, M>) {
        self.next_offset = self.next_offset.max(arrival.offset.saturating_add(1));
        self.appended_ms = self.appended_ms.max(arrival.appended_ms);
    }
}

/// How a part of a batch changes a partition's progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Advance {
    pub(crate) mark: ProgressMark,
    /// The offsets restarted: the topic was created again.
    pub(crate) recreated: bool,
    /// Offsets between the mark and the first record. They were never received.
    pub(crate) gap: Option<OffsetRange>,
    /// Offsets below the mark that were delivered again.
    pub(crate) redelivered: Option<OffsetRange>,
}

/// The mark after `range` was handled.
///
/// A record below the mark with a later append time than everything handled is no redelivery: the
/// offsets restarted, and those before it were never received. A gap counts only at the beginning of a batch: within one, the consumer
/// received the records in sequence.
///
/// Within a batch a partition's records may have gaps, by compaction or transaction markers, and
/// between two parts of one batch: a position that was lost shows only where a batch begins.
pub(crate) fn advance(mark: Option<ProgressMark>, seen: &PartitionRange) -> Advance {
    let fresh = |incarnation| ProgressMark {
        incarnation,
        next_offset: seen.next_offset,
        appended_ms: seen.appended_ms,
    };
    let first = |mark, recreated| Advance {
        mark,
        recreated,
        gap: None,
        redelivered: None,
    };
    let Some(mark) = mark else {
        return first(fresh(1), false);
    };
    let later = matches!((seen.first_appended_ms, mark.appended_ms), (Some(now),
        Some(before)) if now > before);
    let below = seen.first_offset < mark.next_offset;
    if below && later {
        let mark = fresh(mark.incarnation.saturating_add(1));
        // The offsets of a new topic begin at 0.
        let gap = (seen.first_offset > 0 && !seen.continues)
            .then(|| seen.range(mark.incarnation, 0..seen.first_offset));
        return Advance {
            gap,
            ..first(mark, true)
        };
    }
    let advanced = ProgressMark {
        incarnation: mark.incarnation,
        next_offset: mark.next_offset.max(seen.next_offset),
        appended_ms: mark.appended_ms.max(seen.appended_ms),
    };
    let gap = (seen.first_offset > mark.next_offset && !seen.continues)
        .then_some(mark.next_offset..seen.first_offset);
    let redelivered = below.then_some(seen.first_offset..seen.next_offset);
    let range = |offsets| seen.range(mark.incarnation, offsets);
    Advance {
        mark: advanced,
        recreated: false,
        gap: gap.map(range),
        redelivered: redelivered.map(range),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(offsets: std::ops::Range<i64>, appended_ms: i64) -> PartitionRange<'static> {
        PartitionRange {
            topic: "t",
            partition: 0,
            first_offset: offsets.start,
            first_appended_ms: Some(appended_ms),
            next_offset: offsets.end,
            appended_ms: Some(appended_ms),
            continues: false,
        }
    }

    fn moved(mark: Option<ProgressMark>, seen: &PartitionRange) -> (ProgressMark, bool) {
        let Advance {
            mark, recreated, ..
        } = advance(mark, seen);
        (mark, recreated)
    }

    fn mark(incarnation: i32, next_offset: i64, appended_ms: i64) -> ProgressMark {
        ProgressMark {
            incarnation,
            next_offset,
            appended_ms: Some(appended_ms),
        }
    }

    #[test]
    fn the_mark_advances_over_records_and_gaps() {
        assert_eq!(moved(None, &seen(3..7, 100)), (mark(1, 7, 100), false));
        assert_eq!(
            moved(Some(mark(1, 7, 100)), &seen(7..9, 110)),
            (mark(1, 9, 110), false)
        );
        assert_eq!(
            moved(Some(mark(1, 7, 100)), &seen(20..21, 110)),
            (mark(1, 21, 110), false)
        );
    }

    #[test]
    fn a_redelivery_moves_neither_mark_nor_incarnation() {
        assert_eq!(
            moved(Some(mark(2, 50, 100)), &seen(10..20, 90)),
            (mark(2, 50, 100), false)
        );
        assert_eq!(
            moved(Some(mark(2, 50, 100)), &seen(40..60, 100)),
            (mark(2, 60, 100), false)
        );
    }

    #[test]
    fn a_later_append_below_the_mark_recreates() {
        assert_eq!(
            moved(Some(mark(1, 50, 100)), &seen(0..5, 101)),
            (mark(2, 5, 101), true)
        );
        assert_eq!(
            moved(Some(mark(1, 50, 100)), &seen(0..80, 101)),
            (mark(2, 80, 101), true)
        );
    }

    #[test]
    fn offsets_before_the_first_record_of_a_new_topic_are_a_gap() {
        let gap_of = |seen: &PartitionRange<'_>| advance(Some(mark(1, 50, 100)), seen).gap;
        assert_eq!(gap_of(&seen(0..5, 101)), None);
        let gap = gap_of(&seen(7..9, 101)).unwrap();
        assert_eq!((gap.incarnation, gap.from, gap.until), (2, 0, 7));
        let continued = PartitionRange {
            continues: true,
            ..seen(7..9, 101)
        };
        assert_eq!(gap_of(&continued), None);
    }

    #[test]
    fn records_without_a_time_never_recreate() {
        let timeless = PartitionRange {
            first_appended_ms: None,
            appended_ms: None,
            ..seen(0..5, 0)
        };
        assert_eq!(
            moved(Some(mark(1, 50, 100)), &timeless),
            (mark(1, 50, 100), false)
        );
    }

    #[test]
    fn offsets_before_a_batch_are_a_gap() {
        let gap = |from, until| {
            Some(OffsetRange {
                topic: "t".into(),
                partition: 0,
                incarnation: 2,
                from,
                until,
            })
        };
        assert_eq!(
            advance(Some(mark(2, 7, 100)), &seen(9..12, 110)).gap,
            gap(7, 9)
        );
        for next in [
            seen(7..9, 110),
            seen(5..9, 100),
            PartitionRange {
                continues: true,
                ..seen(9..12, 110)
            },
        ] {
            assert_eq!(advance(Some(mark(2, 7, 100)), &next).gap, None, "{next:?}");
        }
        assert_eq!(
            advance(None, &seen(9..12, 110)).gap,
            None,
            "the mapping's setting decides where the first batch begins"
        );
        assert_eq!(
            advance(Some(mark(1, 7, 100)), &seen(0..5, 110)).gap,
            None,
            "the topic was created again"
        );
    }

    #[test]
    fn repeated_offsets_are_a_redelivery() {
        let range = |from, until| {
            Some(OffsetRange {
                topic: "t".into(),
                partition: 0,
                incarnation: 1,
                from,
                until,
            })
        };
        assert_eq!(
            advance(Some(mark(1, 50, 100)), &seen(10..20, 90)).redelivered,
            range(10, 20)
        );
        assert_eq!(
            advance(Some(mark(1, 50, 100)), &seen(50..60, 110)).redelivered,
            None
        );
        assert_eq!(
            advance(Some(mark(1, 50, 100)), &seen(0..60, 110)).redelivered,
            None,
            "the topic was created again"
        );
    }
}
