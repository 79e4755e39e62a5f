//! Sets of seats as ranges of indexes: an operator blocks whole rows as easily as one seat.

use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::program::Program;
use crate::message::SeatIndex;

/// Seats `first` to `last`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeatRange {
    /// The first seat.
    pub first: SeatIndex,
    /// The last seat.
    pub last: SeatIndex,
}

/// A range whose last seat is before its first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("seats {} to {}: the last seat must not be before the first", .0.first, .0.last)]
pub struct BadRange(pub SeatRange);

/// A set of seats: ranges that are ascending, and have at least one other seat between each other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct SeatRanges(Vec<SeatRange>);

impl SeatRanges {
    /// The seats of all ranges, which may be in any order and overlap.
    pub fn new(ranges: impl IntoIterator<Item = SeatRange>) -> Result<Self, BadRange> {
        let mut ranges: Vec<SeatRange> = ranges.into_iter().collect();
        if let Some(bad) = ranges.iter().find(|range| range.first > range.last) {
            return Err(BadRange(*bad));
        }
        ranges.sort_unstable();
        let mut joined: Vec<SeatRange> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match joined.last_mut() {
                Some(before) if range.first.get() <= before.last.get() + 1 => {
                    before.last = before.last.max(range.last);
                }
                _ => joined.push(range),
            }
        }
        Ok(Self(joined))
    }

    /// These seats, which may be in any order.
    pub fn of(seats: impl IntoIterator<Item = SeatIndex>) -> Self {
        let one = |seat| SeatRange {
            first: seat,
            last: seat,
        };
        Self::new(seats.into_iter().map(one)).unwrap_or_default()
    }

    /// The ranges, ascending.
    pub fn ranges(&self) -> &[SeatRange] {
        &self.0
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Number of seats.
    pub fn count(&self) -> u32 {
        let seats = |range: &SeatRange| range.last.get() - range.first.get() + 1;
        self.0.iter().map(seats).sum()
    }

    /// Whether the seat is one of these.
    pub fn contains(&self, seat: SeatIndex) -> bool {
        let after = self.0.partition_point(|range| range.first <= seat);
        after > 0 && seat <= self.0[after - 1].last
    }

    /// Those of these seats that are within `range`.
    #[must_use]
    pub fn within(&self, range: &RangeInclusive<SeatIndex>) -> Self {
        let cut = |own: &SeatRange| SeatRange {
            first: own.first.max(*range.start()),
            last: own.last.min(*range.end()),
        };
        let cut = self.0.iter().map(cut);
        Self(cut.filter(|range| range.first <= range.last).collect())
    }

    /// The first of these seats that the program does not have.
    pub fn outside(&self, program: &Program) -> Option<SeatIndex> {
        self.0.iter().find_map(|range| {
            let mut next = range.first.get();
            while next <= range.last.get() {
                let seat = SeatIndex::new(next).ok()?;
                let mut layouts = program.categories.iter().map(|category| category.layout);
                let Some(layout) = layouts.find(|layout| layout.place(seat).is_some()) else {
                    return Some(seat);
                };
                next = layout.first().get() + layout.seats();
            }
            None
        })
    }
}

/// `3-5,9-9`.
impl fmt::Display for SeatRanges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, SeatRange { first, last }) in self.0.iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            write!(f, "{comma}{first}-{last}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn seat(n: u32) -> SeatIndex {
        SeatIndex::new(n).expect("in bounds")
    }

    fn range(first: u32, last: u32) -> SeatRange {
        SeatRange {
            first: seat(first),
            last: seat(last),
        }
    }

    proptest! {
        #[test]
        fn ranges_are_the_set_of_their_seats(
            parts in vec((0..60_u32, 0..9_u32), 0..9), from in 0..70_u32, more in 0..20_u32,
        ) {
            let expected: BTreeSet<u32> =
                parts.iter().flat_map(|(first, more)| *first..=first + more).collect();
            let ranges = SeatRanges::new(parts.iter().map(|(n, more)| range(*n, n + more)));
            let ranges = ranges.expect("in order");
            let listed = |ranges: &SeatRanges| -> Vec<u32> {
                let each = |range: &SeatRange| range.first.get()..=range.last.get();
                ranges.ranges().iter().flat_map(each).collect()
            };
            prop_assert_eq!(listed(&ranges), expected.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(ranges.count() as usize, expected.len());
            for n in 0..80 {
                prop_assert_eq!(ranges.contains(seat(n)), expected.contains(&n));
            }
            let gap = |pair: &[SeatRange]| pair[0].last.get() + 1 < pair[1].first.get();
            prop_assert!(ranges.ranges().windows(2).all(gap), "each range is as long as it can be");
            let within = ranges.within(&(seat(from)..=seat(from + more)));
            let expected = expected.range(from..=from + more).copied();
            prop_assert_eq!(listed(&within), expected.collect::<Vec<_>>());
            prop_assert_eq!(SeatRanges::of(listed(&ranges).into_iter().map(seat)), ranges);
        }
    }

    #[test]
    fn a_range_that_ends_before_it_begins_is_refused() {
        let bad = range(5, 4);
        assert_eq!(SeatRanges::new([range(1, 2), bad]), Err(BadRange(bad)));
    }

    #[test]
    fn ranges_are_written_in_order() {
        let ranges = SeatRanges::new([range(9, 9), range(3, 4), range(5, 5)]).expect("in order");
        assert_eq!(ranges.to_string(), "3-5,9-9");
        assert_eq!(SeatRanges::default().to_string(), "");
    }
}
