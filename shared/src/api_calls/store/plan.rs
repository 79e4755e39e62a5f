//! The records of a part of a batch that are new. Pure.

use std::collections::HashMap;
use std::ops::Range;

use crate::api_calls::ApiCall;
use crate::store::Arrival;
use crate::store::gaps::Missing;
use crate::store::progress::{Advance, PartitionRange, ProgressMark, advance};
use lambda_batch::{BatchPart, Reason};

/// A part of a batch before its transaction.
#[derive(Debug)]
pub(super) struct CollectPlan<'a> {
    /// All records of the batch; positions count in it.
    pub(super) arrivals: &'a [Arrival<'a, ApiCall>],
    part: &'a BatchPart<'a>,
    /// The offsets of the part in each partition, ascending.
    pub(super) seen: Vec<PartitionRange<'a>>,
}

/// The stored progress in a partition, unless it was never read, and the source of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CollectorPosition {
    pub(super) mark: Option<ProgressMark>,
    pub(super) source: Option<i32>,
}

/// The new progress in a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PartitionStep {
    pub(super) advance: Advance,
    /// The source; `None` until it is inserted.
    pub(super) source: Option<i32>,
    /// The first offset that is new.
    from: i64,
}

/// The new records of a part.
#[derive(Debug, Default)]
pub(super) struct NewRecords<'a> {
    /// Calls, with the source of their partition.
    pub(super) calls: Vec<(i32, &'a Arrival<'a, ApiCall>, &'a ApiCall)>,
    /// Records to park.
    pub(super) unreadable: Vec<(usize, Reason)>,
    /// Number of records that are not new.
    pub(super) repeated: u64,
}

impl<'a> CollectPlan<'a> {
    pub(super) fn new(arrivals: &'a [Arrival<'a, ApiCall>], part: &'a BatchPart<'a>) -> Self {
        let seen = PartitionRange::of(arrivals, part.records.clone());
        Self {
            arrivals,
            part,
            seen,
        }
    }

    /// The new progress in each partition, in the order of [`Self::seen`].
    pub(super) fn steps(
        &self,
        positions: &HashMap<(String, i32), CollectorPosition>,
    ) -> Vec<PartitionStep> {
        let step = |seen: &PartitionRange| {
            let before = positions.get(&(seen.topic.to_owned(), seen.partition));
            let known = before.and_then(|positions| positions.mark);
            let advance = advance(known, seen);
            let (source, from) = match (known, before.and_then(|positions| positions.source)) {
                (Some(known), Some(source)) if !advance.recreated => {
                    (Some(source), known.next_offset)
                }
                _ => (None, 0),
            };
            PartitionStep {
                advance,
                source,
                from,
            }
        };
        self.seen.iter().map(step).collect()
    }

    /// The records at or above the progress of their partition, and those that fill a `missing`
    /// offset below it. Each step must have a source.
    pub(super) fn new_records(
        &self,
        steps: &[PartitionStep],
        mut missing: Missing,
    ) -> NewRecords<'a> {
        let mut next: HashMap<(&str, i32), (i64, i32)> = self
            .seen
            .iter()
            .zip(steps)
            .filter_map(|(seen, step)| {
                Some(((seen.topic, seen.partition), (step.from, step.source?)))
            })
            .collect();
        let mut new_records = NewRecords::default();
        for (at, arrival) in self
            .arrivals
            .iter()
            .enumerate()
            .take(self.part.records.end)
            .skip(self.part.records.start)
        {
            let Some((from, source)) = next.get_mut(&(arrival.topic, arrival.partition)) else {
                continue;
            };
            // A record that is twice in one batch is new only once.
            if arrival.offset >= *from {
                *from = arrival.offset.saturating_add(1);
            } else if let Some(range) = gap_of(&mut missing, arrival) {
                range.start = arrival.offset.saturating_add(1);
            } else {
                new_records.repeated += 1;
                continue;
            }
            match (&arrival.message, self.part.refused.get(&at)) {
                (Ok(call), None) => new_records.calls.push((*source, arrival, call)),
                (Err(reason), _) | (Ok(_), Some(reason)) => {
                    new_records.unreadable.push((at, reason.clone()));
                }
            }
        }
        new_records
    }
}

/// The gap that a record fills.
fn gap_of<'m>(
    missing: &'m mut Missing,
    arrival: &Arrival<'_, ApiCall>,
) -> Option<&'m mut Range<i64>> {
    // Nearly always empty, so no key is built for it.
    if missing.is_empty() {
        return None;
    }
    let ranges = missing.get_mut(&(arrival.topic.to_owned(), arrival.partition))?;
    ranges
        .iter_mut()
        .find(|range| range.contains(&arrival.offset))
}
