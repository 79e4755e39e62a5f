//! A batch in as few transactions as possible, left to right.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::future::Future;
use std::ops::Range;

use crate::{Bisect, ErrorClass, EventBatch, Ledger, NextStep, Outcome, Reason};

/// Attempts of one part while other transactions are in its way.
const MAX_ATTEMPTS: u32 = 9;

/// One transaction for a part of a batch. The author implements it; [`commit_prefix`] calls it.
pub trait BatchTransaction {
    /// What a commit returns.
    type Committed;
    /// Why a transaction failed.
    type Error: TransactionError;

    /// Begins a transaction, applies every record of the part that is not refused, parks those
    /// that are, and commits. After an error nothing of the part may remain.
    fn commit(
        &self,
        part: &BatchPart<'_>,
    ) -> impl Future<Output = Result<Self::Committed, Self::Error>> + Send;
}

/// An error of a transaction, classified by what to do next.
pub trait TransactionError: Display {
    /// Its class.
    fn class(&self) -> ErrorClass;
}

/// The part of a batch that one transaction handles.
#[derive(Debug)]
pub struct BatchPart<'a> {
    /// Positions of its records in the batch.
    pub records: Range<usize>,
    /// Records of the batch that the database refuses, by position: the transaction parks them.
    pub refused: &'a BTreeMap<usize, Reason>,
}

/// What [`commit_prefix`] has committed: a prefix of the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedPrefix<C, E> {
    /// What the commits returned, left to right.
    pub committed: Vec<C>,
    /// Set if the prefix is not the whole batch.
    pub unfinished: Option<Unfinished<E>>,
}

/// The rest of a batch, which is not committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished<E> {
    /// Why.
    pub error: E,
    /// Position of its first record.
    pub from: usize,
}

/// Commits a batch of `len` records: in one transaction if possible, else in parts, left to right.
///
/// Everything left of the part in hand is committed, so the transaction may record its progress
/// over the contiguous prefix. What follows a failed part depends on [`ErrorClass::next_step`]:
///
/// - the data: the part is bisected until the one record is found. That record is refused: its
///   part is tried again with the record in [`BatchPart::refused`], once;
/// - a conflict with another transaction: the part is tried again, at most eight times;
/// - too slow: the part is halved;
/// - anything else, or a single record that fails again: the batch ends before this part.
pub async fn commit_prefix<T: BatchTransaction>(
    len: usize,
    transaction: &T,
) -> CommittedPrefix<T::Committed, T::Error> {
    let mut bisect = Bisect::new(len);
    let mut refused = BTreeMap::new();
    let mut committed = Vec::new();
    let mut next = bisect.next();
    while let Some(records) = next {
        let refused_before = refused.len();
        let part = BatchPart {
            records: records.clone(),
            refused: &refused,
        };
        match attempt(transaction, &part).await {
            Ok(result) => committed.push(result),
            Err(error) => {
                let step = error.class().next_step();
                let splits = matches!(step, NextStep::Bisect | NextStep::Halve);
                if !(splits && bisect.split(&records)) {
                    if step == NextStep::Bisect {
                        refused
                            .entry(records.start)
                            .or_insert_with(|| Reason::new(&error));
                    }
                    if refused.len() == refused_before {
                        let from = records.start;
                        let unfinished = Some(Unfinished { error, from });
                        return CommittedPrefix {
                            committed,
                            unfinished,
                        };
                    }
                    next = Some(records);
                    continue;
                }
            }
        }
        next = bisect.next();
    }
    CommittedPrefix {
        committed,
        unfinished: None,
    }
}

/// One part, repeated at once while another transaction is in its way.
async fn attempt<T: BatchTransaction>(
    transaction: &T,
    part: &BatchPart<'_>,
) -> Result<T::Committed, T::Error> {
    let mut attempts = 1;
    loop {
        // On the heap: nested in a handler, the layout of its future is too deep for the compiler.
        let result = Box::pin(transaction.commit(part)).await;
        let conflict =
            matches!(&result, Err(error) if error.class().next_step() == NextStep::RetryNow);
        if !conflict || attempts == MAX_ATTEMPTS {
            return result;
        }
        attempts += 1;
    }
}

impl<'a, B: EventBatch> Ledger<'a, B> {
    /// The ledger of a batch that was committed up to `unfinished`, with these records parked in
    /// the transactions that passed over them.
    pub fn of_prefix<E: Display>(
        batch: &'a B,
        parked: &[(usize, Reason)],
        unfinished: Option<&Unfinished<E>>,
    ) -> Self {
        let mut ledger = Self::new(batch);
        for index in 0..unfinished.map_or(batch.size(), |rest| rest.from) {
            ledger.note(index, Outcome::Done);
        }
        for (index, reason) in parked {
            ledger.note(*index, Outcome::Park(reason.clone()));
            ledger.parked(*index);
        }
        if let Some(rest) = unfinished {
            let reason = Reason::new(&rest.error);
            for index in rest.from..batch.size() {
                ledger.note(index, Outcome::Retry(reason.clone()));
            }
        }
        ledger
    }
}
