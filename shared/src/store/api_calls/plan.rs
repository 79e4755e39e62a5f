//! What a part of a batch has of each partition, and what of it is new. Pure.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use crate::message::ApiCall;
use crate::store::Arrival;
use crate::store::progress::{Mark, Seen, advance};
use crate::worker::Reason;

/// A part of a batch, before Postgres is asked.
#[derive(Debug)]
pub(super) struct Plan<'a> {
    /// All records of the batch; positions count in it.
    pub(super) arrivals: &'a [Arrival<'a, ApiCall>],
    part: Range<usize>,
    /// Records that Postgres has refused, by position, with its reason.
    refused: &'a BTreeMap<usize, Reason>,
    /// How far the part reaches in each partition, ascending.
    pub(super) seen: Vec<Seen<'a>>,
}

/// Where a partition stands: its mark, unless nothing was ever read from it, and the source that its rows carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) mark: Option<Mark>,
    pub(super) source: Option<i32>,
}

/// What a partition is moved on to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) mark: Mark,
    /// The source; nothing while it has yet to be made.
    pub(super) source: Option<i32>,
    /// The first offset that is new.
    from: i64,
    /// The topic was created anew.
    pub(super) anew: bool,
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
    pub(super) fn new(arrivals: &'a [Arrival<'a, ApiCall>], part: Range<usize>, refused: &'a BTreeMap<usize, Reason>) -> Self {
        let mut seen: BTreeMap<(&str, i32), Seen> = BTreeMap::new();
        for arrival in &arrivals[part.clone()] {
            seen.entry((arrival.topic, arrival.partition)).or_insert_with(|| Seen::first(arrival)).add(arrival);
        }
        Self { arrivals, part, refused, seen: seen.into_values().collect() }
    }

    /// What becomes of each partition, in the order of [`Self::seen`].
    pub(super) fn steps(&self, standing: &HashMap<(String, i32), Standing>) -> Vec<Step> {
        let step = |seen: &Seen| {
            let before = standing.get(&(seen.topic.to_owned(), seen.partition));
            let known = before.and_then(|standing| standing.mark);
            let (mark, anew) = advance(known, seen);
            match (known, before.and_then(|standing| standing.source)) {
                (Some(known), Some(source)) if !anew => Step { mark, source: Some(source), from: known.next_offset, anew },
                _ => Step { mark, source: None, from: 0, anew },
            }
        };
        self.seen.iter().map(step).collect()
    }

    /// The records at or above where their partition stood. Each step must have a source by now.
    pub(super) fn news(&self, steps: &[Step]) -> News<'a> {
        let mut next: HashMap<(&str, i32), (i64, i32)> = self
            .seen
            .iter()
            .zip(steps)
            .filter_map(|(seen, step)| Some(((seen.topic, seen.partition), (step.from, step.source?))))
            .collect();
        let mut news = News::default();
        for (at, arrival) in self.arrivals.iter().enumerate().take(self.part.end).skip(self.part.start) {
            let Some((from, source)) = next.get_mut(&(arrival.topic, arrival.partition)) else { continue };
            if arrival.offset < *from {
                news.repeated += 1;
                continue;
            }
            // A record that comes twice in one batch is no news the second time.
            *from = arrival.offset.saturating_add(1);
            match (&arrival.message, self.refused.get(&at)) {
                (Ok(call), None) => news.calls.push((*source, arrival, call)),
                (Err(reason), _) | (Ok(_), Some(reason)) => news.unreadable.push((at, reason.clone())),
            }
        }
        news
    }
}
