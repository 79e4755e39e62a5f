//! What may be acknowledged, as properties over any batch and any outcomes.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use crate::KafkaBatch;
use crate::{
    Backoff, BatchResponse, Bisect, ErrorClass, Ledger, NextStep, Outcome, OutcomeCounts, Reason,
};

fn batch(records: &[(i32, i64)]) -> KafkaBatch {
    let record = |(p, o): &(i32, i64)| json!({ "topic": "t", "partition": p, "offset": o });
    let records: Vec<_> = records.iter().map(record).collect();
    serde_json::from_str(&json!({ "records": { "t-0": records } }).to_string()).expect("an event")
}

/// What a handler may do with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Forgotten,
    Done,
    Retried,
    ToPark,
    Parked,
}

fn fates() -> impl Strategy<Value = Fate> {
    prop_oneof![
        1 => Just(Fate::Forgotten),
        4 => Just(Fate::Done),
        1 => Just(Fate::Retried),
        1 => Just(Fate::ToPark),
        2 => Just(Fate::Parked),
    ]
}

fn play<'a>(batch: &'a KafkaBatch, fates: &[Fate]) -> Ledger<'a> {
    let mut ledger = Ledger::new(batch);
    let reason = || Reason::new("because");
    for (i, fate) in fates.iter().enumerate() {
        match fate {
            Fate::Forgotten => {}
            Fate::Done => ledger.note(i, Outcome::Done),
            Fate::Retried => ledger.note(i, Outcome::Retry(reason())),
            Fate::ToPark | Fate::Parked => ledger.note(i, Outcome::Park(reason())),
        }
        if *fate == Fate::Parked {
            ledger.parked(i);
        }
    }
    ledger
}

proptest! {
    /// The host resumes each partition at its reported offset, so everything below it, and all of an unreported one, is acknowledged.
    #[test]
    fn what_is_acknowledged_is_done_or_parked_and_nothing_behind_a_failure_is(
        records in vec(((0..3_i32, 0..40_i64), fates()), 0..40),
    ) {
        let (at, fates): (Vec<_>, Vec<_>) = records.into_iter().unzip();
        let batch = batch(&at);
        let ledger = play(&batch, &fates);
        let failures = ledger.response();
        let resumes = |partition: i32| {
            let name = format!("t-{partition}");
            failures.items.iter().find(|f| f.identifier.partition == name).map_or(i64::MAX, |f| f.identifier.offset)
        };
        let acknowledged = |(partition, offset): (i32, i64)| offset < resumes(partition);
        let mut failed_at = std::collections::BTreeSet::new();
        for (at, fate) in at.iter().zip(&fates) {
            if !matches!(fate, Fate::Done | Fate::Parked) {
                prop_assert!(!acknowledged(*at), "{at:?} was {fate:?} and acknowledged");
                failed_at.insert(*at);
            }
        }
        // And nothing is delivered again without need: each resumes exactly where something failed.
        let named: Vec<_> = (0..3).filter(|p| resumes(*p) != i64::MAX).map(|p| (p, resumes(p))).collect();
        prop_assert_eq!(named.len(), failures.items.len(), "at most one entry a partition");
        for place in named {
            prop_assert!(failed_at.contains(&place), "{place:?} did not fail");
        }
    }

    #[test]
    fn every_record_is_counted_once(fates in vec(fates(), 0..30)) {
        let at: Vec<_> = (0..fates.len()).map(|n| (0, n as i64)).collect();
        let batch = batch(&at);
        let ledger = play(&batch, &fates);
        let count = |wanted: &[Fate]| fates.iter().filter(|f| wanted.contains(f)).count();
        let expected = OutcomeCounts {
            done: count(&[Fate::Done]),
            parked: count(&[Fate::Parked]),
            failed: count(&[Fate::Forgotten, Fate::Retried, Fate::ToPark]),
        };
        prop_assert_eq!(ledger.counts(), expected);
        prop_assert_eq!(ledger.to_park().count(), count(&[Fate::ToPark]));
        prop_assert_eq!(ledger.response().is_empty(), expected.failed == 0);
    }

    #[test]
    fn bisecting_finds_every_failing_record_left_to_right_and_tries_all_others(len in 0..60_usize, bad in vec(0..60_usize, 0..6)) {
        let mut parts = Bisect::new(len);
        let mut succeeded = Vec::new();
        let mut found = Vec::new();
        while let Some(part) = parts.next() {
            let dealt_with = succeeded.len() + found.len();
            prop_assert_eq!(part.start, dealt_with, "everything to the left has been dealt with");
            if !bad.iter().any(|b| part.contains(b)) {
                succeeded.extend(part);
            } else if !parts.split(&part) {
                found.push(part.start);
            }
        }
        let mut expected: Vec<_> = bad.into_iter().filter(|b| *b < len).collect();
        expected.sort_unstable();
        expected.dedup();
        prop_assert_eq!(succeeded.len() + found.len(), len);
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn a_wait_is_within_its_ceiling_and_grows_with_its_randomness(attempt in 0..80_u32, a: u64, b: u64) {
        let policy = Backoff { base: Duration::from_millis(50), cap: Duration::from_secs(20), max_attempts: None };
        let wait = |random| policy.delay(attempt, random).expect("no end");
        let doubled = 50_u64.saturating_mul(1 << attempt.saturating_sub(1).min(20));
        prop_assert!(wait(a) <= policy.cap && wait(a) <= Duration::from_millis(doubled));
        prop_assert_eq!(wait(a.min(b)) <= wait(a.max(b)), true);
        prop_assert_eq!(wait(0), Duration::ZERO);
    }

    #[test]
    fn a_reason_is_one_bounded_line(text in "(?s).{0,700}") {
        let reason = Reason::new(&text);
        prop_assert!(reason.as_str().len() <= Reason::MAX_LEN);
        prop_assert!(!reason.as_str().contains(char::is_control));
    }
}

#[test]
fn the_response_reads_as_the_event_source_mapping_expects() {
    let batch = batch(&[(0, 41), (0, 42), (0, 43)]);
    let ledger = play(&batch, &[Fate::Done, Fate::Retried, Fate::Done]);
    let response = serde_json::to_value(ledger.response()).expect("encodes");
    assert_eq!(
        response,
        json!({ "batchItemFailures": [{ "itemIdentifier": { "partition": "t-0", "offset": 42 } }] })
    );
    assert_eq!(
        serde_json::to_value(<BatchResponse>::default()).expect("encodes"),
        json!({ "batchItemFailures": [] })
    );
}

#[test]
fn only_what_was_to_be_parked_can_have_been_parked() {
    let batch = batch(&[(0, 1)]);
    let mut ledger = play(&batch, &[Fate::Retried]);
    ledger.parked(0);
    assert_eq!(ledger.counts().failed, 1);
}

#[test]
fn the_last_attempt_has_no_wait_after_it() {
    let policy = Backoff {
        base: Duration::from_secs(1),
        cap: Duration::from_secs(9),
        max_attempts: Some(3),
    };
    assert!(policy.delay(2, u64::MAX).is_some());
    assert_eq!(policy.delay(3, u64::MAX), None);
}

#[test]
fn errors_are_sorted_by_what_helps() {
    for (state, step) in [
        (Some("22001"), NextStep::Bisect),
        (Some("23505"), NextStep::Bisect),
        (Some("40001"), NextStep::RetryNow),
        (Some("40P01"), NextStep::RetryNow),
        (Some("57014"), NextStep::Halve),
        (Some("55P03"), NextStep::RetryLater { alarm: false }),
        (Some("25P03"), NextStep::RetryLater { alarm: false }),
        (Some("25P04"), NextStep::RetryLater { alarm: false }),
        (Some("57P01"), NextStep::RetryLater { alarm: false }),
        (Some("08006"), NextStep::RetryLater { alarm: false }),
        (Some("53300"), NextStep::RetryLater { alarm: false }),
        (None, NextStep::RetryLater { alarm: false }),
        (Some("42P01"), NextStep::RetryLater { alarm: true }),
        (Some(""), NextStep::RetryLater { alarm: true }),
        (Some("é"), NextStep::RetryLater { alarm: true }),
    ] {
        assert_eq!(
            ErrorClass::of_sqlstate(state).next_step(),
            step,
            "{state:?}"
        );
    }
}
