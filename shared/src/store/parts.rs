//! A batch on its way into Postgres: whole if it goes, else in parts, left to right. Pure.

use std::collections::BTreeMap;
use std::ops::Range;

use super::StoreError;
use lambda_batch::{Bisect, NextStep, Reason};

/// The rest of a batch, not dealt with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// Why.
    pub error: StoreError,
    /// Position of the first record not dealt with; all before it are dealt with for good.
    pub from: usize,
}

/// The parts still to be tried. Everything left of the part in hand is committed.
///
/// A part that fails because of its data is cut in two until the one record is found, which from
/// then on counts as unreadable; one that takes too long is halved. Any other failure ends the
/// batch there.
#[derive(Debug)]
pub(super) struct Parts {
    bisect: Bisect,
    again: Option<Range<usize>>,
    refused: BTreeMap<usize, Reason>,
    unfinished: Option<Unfinished>,
}

impl Parts {
    /// A batch of `len` records.
    pub(super) fn new(len: usize) -> Self {
        Self {
            bisect: Bisect::new(len),
            again: None,
            refused: BTreeMap::new(),
            unfinished: None,
        }
    }

    /// The part to try next; nothing once all is done, or nothing more can be.
    pub(super) fn next(&mut self) -> Option<Range<usize>> {
        if self.unfinished.is_some() {
            return None;
        }
        self.again.take().or_else(|| self.bisect.next())
    }

    /// Records that Postgres has refused, by position, with its reason.
    pub(super) fn refused(&self) -> &BTreeMap<usize, Reason> {
        &self.refused
    }

    /// The part in hand has failed.
    pub(super) fn failed(&mut self, part: Range<usize>, error: StoreError) {
        let step = error.class.next_step();
        if matches!(step, NextStep::Bisect | NextStep::Halve) && self.bisect.split(&part) {
            return;
        }
        // One record that Postgres will never take: from now on it counts as unreadable. Once;
        // parking itself may fail as well.
        if step == NextStep::Bisect
            && self
                .refused
                .insert(part.start, Reason::new(&error))
                .is_none()
        {
            self.again = Some(part);
            return;
        }
        self.unfinished = Some(Unfinished {
            error,
            from: part.start,
        });
    }

    /// What was left, if anything was.
    pub(super) fn unfinished(self) -> Option<Unfinished> {
        self.unfinished
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lambda_batch::ErrorClass;

    fn error(class: ErrorClass) -> StoreError {
        StoreError {
            class,
            sqlstate: None,
            message: "as told".into(),
            hint: "",
        }
    }

    /// Tries all parts; `fails` says which records fail a part and how. Gives what was committed,
    /// left to right, and the end.
    fn run(len: usize, fails: impl Fn(usize, bool) -> Option<ErrorClass>) -> (Vec<usize>, Parts) {
        let mut parts = Parts::new(len);
        let mut committed = Vec::new();
        while let Some(part) = parts.next() {
            let refused = |at: usize| parts.refused().contains_key(&at);
            match part.clone().find_map(|at| fails(at, refused(at))) {
                Some(class) => parts.failed(part, error(class)),
                None => committed.extend(part),
            }
        }
        (committed, parts)
    }

    #[test]
    fn the_failing_record_alone_is_refused() {
        let (committed, parts) = run(9, |at, refused| {
            (at == 5 && !refused).then_some(ErrorClass::Data)
        });
        assert_eq!(committed, (0..9).collect::<Vec<_>>());
        assert_eq!(parts.refused().keys().copied().collect::<Vec<_>>(), [5]);
        assert_eq!(parts.unfinished(), None);
    }

    #[test]
    fn records_behind_an_outage_are_not_tried() {
        let (committed, parts) = run(9, |at, _| (at == 3).then_some(ErrorClass::Unavailable));
        assert_eq!(
            committed,
            Vec::<usize>::new(),
            "the part that held it was the whole batch"
        );
        assert_eq!(parts.unfinished().map(|rest| rest.from), Some(0));
        let (committed, parts) = run(8, |at, _| (at == 3).then_some(ErrorClass::Cancelled));
        assert_eq!(committed, [0, 1, 2]);
        assert_eq!(parts.unfinished().map(|rest| rest.from), Some(3));
    }

    #[test]
    fn an_unparkable_record_ends_the_batch() {
        let (committed, parts) = run(1, |_, _| Some(ErrorClass::Data));
        assert_eq!(committed, Vec::<usize>::new());
        assert_eq!(parts.unfinished().map(|rest| rest.from), Some(0));
    }
}
