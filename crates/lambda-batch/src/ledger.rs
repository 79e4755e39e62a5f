//! The outcomes of a batch, and its partial batch response.

use super::outcome::{Outcome, Reason};
use super::response::{BatchResponse, EventBatch};
use crate::KafkaBatch;

/// The state of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
enum RecordState {
    /// Without outcome: counts as failed.
    Open,
    Done,
    Retry(Reason),
    /// To be parked, not durable yet.
    ToPark(Reason),
    Parked(Reason),
}

/// Keeps the outcome of each record of a batch, by its index.
///
/// Nothing is acknowledged that is neither done nor durably parked, and nothing behind a failed
/// record of its partition or message group. A record without outcome counts as failed.
#[derive(Debug)]
pub struct Ledger<'a, B = KafkaBatch> {
    batch: &'a B,
    states: Vec<RecordState>,
}

/// Numbers of records by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OutcomeCounts {
    /// Done.
    pub done: usize,
    /// Durably parked.
    pub parked: usize,
    /// Neither; they are delivered again.
    pub failed: usize,
}

impl<'a, B: EventBatch> Ledger<'a, B> {
    /// A ledger without outcomes.
    pub fn new(batch: &'a B) -> Self {
        Self {
            batch,
            states: vec![RecordState::Open; batch.size()],
        }
    }

    /// Sets the outcome of record `index`.
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

    /// Records that are to be parked, with the reason. Call [`Self::parked`] once they are durable.
    pub fn to_park(&self) -> impl Iterator<Item = (usize, &Reason)> {
        self.states.iter().enumerate().filter_map(|(i, s)| match s {
            RecordState::ToPark(reason) => Some((i, reason)),
            _ => None,
        })
    }

    /// Marks record `index` as durably parked if it was to be parked.
    ///
    /// # Panics
    /// If the batch has no such record.
    pub fn parked(&mut self, index: usize) {
        let state = &mut self.states[index];
        if let RecordState::ToPark(reason) = state {
            *state = RecordState::Parked(reason.clone());
        }
    }

    /// Numbers of records by outcome.
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

    /// The partial batch response.
    pub fn response(&self) -> BatchResponse<B::Identifier> {
        let failed = self
            .states
            .iter()
            .enumerate()
            .filter(|(_, state)| !matches!(state, RecordState::Done | RecordState::Parked(_)));
        self.batch.response(failed.map(|(index, _)| index))
    }
}
