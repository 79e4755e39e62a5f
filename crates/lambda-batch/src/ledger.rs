//! The outcomes of a batch, and what may be acknowledged because of them.

use super::outcome::{Outcome, Reason};
use super::response::{Failures, Source};
use crate::kafka::Batch;

/// What is known of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// Nobody spoke of it yet.
    Open,
    Done,
    Retry(Reason),
    /// To be parked, not yet durable.
    ToPark(Reason),
    Parked(Reason),
}

/// Keeps the outcome of every record of a batch, addressed by its index in the batch.
#[derive(Debug)]
pub struct Ledger<'a, B = Batch> {
    batch: &'a B,
    states: Vec<State>,
}

/// How many records came to which end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Done.
    pub done: usize,
    /// Durably parked.
    pub parked: usize,
    /// Neither: delivered again.
    pub failed: usize,
}

impl<'a, B: Source> Ledger<'a, B> {
    /// A ledger in which every record is still open.
    pub fn new(batch: &'a B) -> Self {
        Self {
            batch,
            states: vec![State::Open; batch.size()],
        }
    }

    /// Notes the outcome of record `index`, in place of what was noted before.
    ///
    /// # Panics
    /// If the batch has no such record.
    pub fn note(&mut self, index: usize, outcome: Outcome) {
        self.states[index] = match outcome {
            Outcome::Done => State::Done,
            Outcome::Retry(reason) => State::Retry(reason),
            Outcome::Park(reason) => State::ToPark(reason),
        };
    }

    /// Records that are to be parked and are not yet, with the reason. Whoever makes them durable says so by [`Self::parked`].
    pub fn to_park(&self) -> impl Iterator<Item = (usize, &Reason)> {
        self.states.iter().enumerate().filter_map(|(i, s)| match s {
            State::ToPark(reason) => Some((i, reason)),
            _ => None,
        })
    }

    /// Record `index` is durably parked. Changes nothing unless it was to be.
    ///
    /// # Panics
    /// If the batch has no such record.
    pub fn parked(&mut self, index: usize) {
        let state = &mut self.states[index];
        if let State::ToPark(reason) = state {
            *state = State::Parked(reason.clone());
        }
    }

    /// How many came to which end.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for state in &self.states {
            match state {
                State::Done => counts.done += 1,
                State::Parked(_) => counts.parked += 1,
                State::Open | State::Retry(_) | State::ToPark(_) => counts.failed += 1,
            }
        }
        counts
    }

    /// The partial batch response: what may not be acknowledged.
    pub fn failures(&self) -> Failures<B::Identifier> {
        let failed = self
            .states
            .iter()
            .enumerate()
            .filter(|(_, state)| !matches!(state, State::Done | State::Parked(_)));
        self.batch.failures(failed.map(|(index, _)| index))
    }
}
