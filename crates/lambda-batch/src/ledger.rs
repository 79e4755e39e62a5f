//! The outcomes of a batch, and what may be acknowledged because of them.

use super::outcome::{Outcome, Reason};
use super::response::{BatchResponse, EventBatch};
use crate::KafkaBatch;

/// What is known of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
enum RecordState {
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
pub struct Ledger<'a, B = KafkaBatch> {
    batch: &'a B,
    states: Vec<RecordState>,
}

/// How many records came to which end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OutcomeCounts {
    /// Done.
    pub done: usize,
    /// Durably parked.
    pub parked: usize,
    /// Neither: delivered again.
    pub failed: usize,
}

impl<'a, B: EventBatch> Ledger<'a, B> {
    /// A ledger in which every record is still open.
    pub fn new(batch: &'a B) -> Self {
        Self {
            batch,
            states: vec![RecordState::Open; batch.size()],
        }
    }

    /// Notes the outcome of record `index`, in place of what was noted before.
    ///
    /// # Panics
    /// If the batch has no such record.
    pub fn note(&mut self, index: usize, outcome: Outcome) {
        self.states[index] = match outcome {
            Outcome::Done => RecordState::Done,
            Outcome::Retry(reason) => RecordState::Retry(reason),
            Outcome::Park(reason) => RecordState::ToPark(reason),
        };
    }

    /// Records that are to be parked and are not yet, with the reason. Whoever makes them durable says so by [`Self::parked`].
    pub fn to_park(&self) -> impl Iterator<Item = (usize, &Reason)> {
        self.states.iter().enumerate().filter_map(|(i, s)| match s {
            RecordState::ToPark(reason) => Some((i, reason)),
            _ => None,
        })
    }

    /// Record `index` is durably parked. Changes nothing unless it was to be.
    ///
    /// # Panics
    /// If the batch has no such record.
    pub fn parked(&mut self, index: usize) {
        let state = &mut self.states[index];
        if let RecordState::ToPark(reason) = state {
            *state = RecordState::Parked(reason.clone());
        }
    }

    /// How many came to which end.
    pub fn counts(&self) -> OutcomeCounts {
        let mut counts = OutcomeCounts::default();
        for state in &self.states {
            match state {
                RecordState::Done => counts.done += 1,
                RecordState::Parked(_) => counts.parked += 1,
                RecordState::Open | RecordState::Retry(_) | RecordState::ToPark(_) => {
                    counts.failed += 1;
                }
            }
        }
        counts
    }

    /// The partial batch response: what may not be acknowledged.
    pub fn response(&self) -> BatchResponse<B::Identifier> {
        let failed = self
            .states
            .iter()
            .enumerate()
            .filter(|(_, state)| !matches!(state, RecordState::Done | RecordState::Parked(_)));
        self.batch.response(failed.map(|(index, _)| index))
    }
}
