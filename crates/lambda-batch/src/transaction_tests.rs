//! What a batch commits when transactions fail.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::executor::block_on;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::{
    BatchPart, BatchTransaction, CommittedPrefix, ErrorClass, TransactionError, commit_prefix,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0:?}")]
struct TestError(ErrorClass);

impl TransactionError for TestError {
    fn class(&self) -> ErrorClass {
        self.0
    }
}

/// A transaction that fails if `fails`, of a position and whether it is refused, says so.
struct TestTransaction<F> {
    fails: F,
    /// Positions committed, and those of them that were parked.
    committed: Mutex<Vec<(usize, bool)>>,
}

impl<F: Fn(usize, bool) -> Option<ErrorClass> + Sync> BatchTransaction for TestTransaction<F> {
    type Committed = usize;
    type Error = TestError;

    async fn commit(&self, part: &BatchPart<'_>) -> Result<usize, TestError> {
        let mut records = part
            .records
            .clone()
            .map(|at| (at, part.refused.contains_key(&at)));
        if let Some(class) = records
            .clone()
            .find_map(|(at, refused)| (self.fails)(at, refused))
        {
            return Err(TestError(class));
        }
        let mut committed = self.committed.lock().expect("no panic holds it");
        committed.extend(&mut records);
        Ok(part.records.len())
    }
}

type Run = (Vec<(usize, bool)>, CommittedPrefix<usize, TestError>);

fn run(len: usize, fails: impl Fn(usize, bool) -> Option<ErrorClass> + Sync) -> Run {
    let transaction = TestTransaction {
        fails,
        committed: Mutex::default(),
    };
    let prefix = block_on(commit_prefix(len, &transaction));
    (
        transaction
            .committed
            .into_inner()
            .expect("no panic holds it"),
        prefix,
    )
}

#[test]
fn a_sound_batch_is_one_transaction() {
    let (_, prefix) = run(9, |_, _| None);
    assert_eq!((prefix.committed, prefix.unfinished), (vec![9], None));
}

#[test]
fn only_the_refused_record_is_parked() {
    let (committed, prefix) = run(9, |at, refused| {
        (at == 5 && !refused).then_some(ErrorClass::Data)
    });
    assert_eq!(
        committed,
        (0..9).map(|at| (at, at == 5)).collect::<Vec<_>>()
    );
    assert_eq!(prefix.unfinished, None);
}

#[test]
fn nothing_behind_an_unfinished_part_is_tried() {
    let (committed, prefix) = run(9, |at, _| (at == 3).then_some(ErrorClass::Unavailable));
    assert_eq!(committed, [], "the part that held it was the whole batch");
    assert_eq!(prefix.unfinished.map(|rest| rest.from), Some(0));
    let (committed, prefix) = run(8, |at, _| (at == 3).then_some(ErrorClass::Cancelled));
    assert_eq!(committed, [(0, false), (1, false), (2, false)]);
    assert_eq!(prefix.unfinished.map(|rest| rest.from), Some(3));
}

#[test]
fn a_record_that_cannot_be_parked_is_tried_once_more() {
    let tries = AtomicU32::new(0);
    let (committed, prefix) = run(1, |_, _| {
        tries.fetch_add(1, Ordering::Relaxed);
        Some(ErrorClass::Data)
    });
    assert_eq!((committed, tries.into_inner()), (vec![], 2));
    assert_eq!(prefix.unfinished.map(|rest| rest.from), Some(0));
}

#[test]
fn a_conflict_is_repeated_eight_times_at_most() {
    for (conflicts, finished) in [(8, true), (9, false)] {
        let attempts = AtomicU32::new(0);
        let (_, prefix) = run(1, |_, _| {
            let attempt = attempts.fetch_add(1, Ordering::Relaxed);
            (attempt < conflicts).then_some(ErrorClass::Conflict)
        });
        assert_eq!(
            prefix.unfinished.is_none(),
            finished,
            "{conflicts} conflicts"
        );
    }
}

proptest! {
    #[test]
    fn what_is_committed_is_a_prefix(
        errors in vec(option::weighted(0.2, prop::sample::select(vec![
            ErrorClass::Data, ErrorClass::Conflict, ErrorClass::Busy, ErrorClass::Cancelled,
            ErrorClass::Unavailable, ErrorClass::Unknown,
        ])), 0..40),
    ) {
        let fails = |at: usize, refused: bool| {
            errors[at].filter(|class| *class != ErrorClass::Data || !refused)
        };
        let (committed, prefix) = run(errors.len(), fails);
        let positions: Vec<usize> = committed.iter().map(|(at, _)| *at).collect();
        let end = prefix.unfinished.map_or(errors.len(), |rest| rest.from);
        prop_assert_eq!(positions, (0..end).collect::<Vec<_>>());
        for (at, parked) in committed {
            prop_assert_eq!(parked, errors[at] == Some(ErrorClass::Data));
        }
        prop_assert_eq!(prefix.committed.iter().sum::<usize>(), end);
    }
}
