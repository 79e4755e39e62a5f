//! What a part of a batch has of each partition, and what of it is new. Pure.

use std::collections::HashMap;
use std::ops::Range;

use crate::message::ApiCall;
use crate::store::Arrival;
use crate::store::gaps::{Missing, OffsetRange};
use crate::store::progress::{Advance, PartitionRange, ProgressMark, advance};
use lambda_batch::{BatchPart, Reason};

/// A part of a batch, before Postgres is asked.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    /// All records of the batch; positions count in it.
    pub(super) arrivals: &'a [Arrival<'a, ApiCall>],
    part: &'a BatchPart<'a>,
    /// How far the part reaches in each partition, ascending.
    pub(super) seen: Vec<PartitionRange<'a>>,
}

/// Where a partition stands: its mark, unless nothing was ever read from it, and the source that its rows carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) mark: Option<ProgressMark>,
    pub(super) source: Option<i32>,
}

/// What a partition is moved on to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) mark: ProgressMark,
    /// The source; nothing while it has yet to be made.
    pub(super) source: Option<i32>,
    /// The first offset that is new.
    from: i64,
    /// The topic was created anew.
    pub(super) anew: bool,
    /// Offsets that were passed without a record.
    pub(super) gap: Option<OffsetRange>,
    /// Offsets below the mark: handled before, unless a gap has them.
    pub(super) redelivered: Option<OffsetRange>,
}

/// What is new of a part.
#[derive(Debug, Default)]
pub(super) struct News<'a> {
    /// Calls, with the source of their partition.
    pub(super) calls: Vec<(i32, &'a Arrival<'a, ApiCall>, &'a ApiCall)>,
    /// Records to park.
    pub(super) unreadable: Vec<(usize, Reason)>,
    /// How many records are not new.
    pub(super) repeated: u64,
}

impl<'a> Plan<'a> {
    pub(super) fn new(arrivals: &'a [Arrival<'a, ApiCall>], part: &'a BatchPart<'a>) -> Self {
        let seen = PartitionRange::of(arrivals, part.records.clone());
        Self {
            arrivals,
            part,
            seen,
        }
    }

    /// What becomes of each partition, in the order of [`Self::seen`].
    pub(super) fn steps(&self, standing: &HashMap<(String, i32), Standing>) -> Vec<Step> {
        let step = |seen: &PartitionRange| {
            let before = standing.get(&(seen.topic.to_owned(), seen.partition));
            let known = before.and_then(|standing| standing.mark);
            let Advance {
                mark,
                recreated: anew,
                gap,
                redelivered,
            } = advance(known, seen);
            let (source, from) = match (known, before.and_then(|standing| standing.source)) {
                (Some(known), Some(source)) if !anew => (Some(source), known.next_offset),
                _ => (None, 0),
            };
            Step {
                mark,
                source,
                from,
                anew,
                gap,
                redelivered,
            }
        };
        self.seen.iter().map(step).collect()
    }

    /// The records at or above where their partition stood, and those that fill what is `missing` below. Each step must have a source
    /// by now.
    pub(super) fn news(&self, steps: &[Step], mut missing: Missing) -> News<'a> {
        let mut next: HashMap<(&str, i32), (i64, i32)> = self
            .seen
            .iter()
            .zip(steps)
            .filter_map(|(seen, step)| {
                Some(((seen.topic, seen.partition), (step.from, step.source?)))
            })
            .collect();
        let mut news = News::default();
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
            // A record that comes twice in one batch is no news the second time.
            if arrival.offset >= *from {
                *from = arrival.offset.saturating_add(1);
            } else if let Some(range) = gap_of(&mut missing, arrival) {
                range.start = arrival.offset.saturating_add(1);
            } else {
                news.repeated += 1;
                continue;
            }
            match (&arrival.message, self.part.refused.get(&at)) {
                (Ok(call), None) => news.calls.push((*source, arrival, call)),
                (Err(reason), _) | (Ok(_), Some(reason)) => {
                    news.unreadable.push((at, reason.clone()));
                }
            }
        }
        news
    }
}

/// The gap that a record fills.
fn gap_of<'m>(
    missing: &'m mut Missing,
    arrival: &Arrival<'_, ApiCall>,
) -> Option<&'m mut Range<i64>> {
    // Nearly always empty: no key is made for it.
    if missing.is_empty() {
        return None;
    }
    let ranges = missing.get_mut(&(arrival.topic.to_owned(), arrival.partition))?;
    ranges
        .iter_mut()
        .find(|range| range.contains(&arrival.offset))
}
