//! Partial batch responses of Kafka, as properties over any batch and any outcomes.

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

/// What a handler does with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Nothing,
    Done,
    Retried,
    ToPark,
    Parked,
}

fn acts() -> impl Strategy<Value = Act> {
    prop_oneof![
        1 => Just(Act::Nothing),
        4 => Just(Act::Done),
        1 => Just(Act::Retried),
        1 => Just(Act::ToPark),
        2 => Just(Act::Parked),
    ]
}

fn ledger_of<'a>(batch: &'a KafkaBatch, acts: &[Act]) -> Ledger<'a> {
    let mut ledger = Ledger::new(batch);
    let reason = || Reason::new("because");
    for (i, act) in acts.iter().enumerate() {
        match act {
            Act::Nothing => {}
            Act::Done => ledger.note(i, Outcome::Done),
            Act::Retried => ledger.note(i, Outcome::Retry(reason())),
            Act::ToPark | Act::Parked => ledger.note(i, Outcome::Park(reason())),
        }
        if *act == Act::Parked {
            ledger.parked(i);
        }
    }
    ledger
}

proptest! {
    /// The host resumes a partition at its reported offset: everything below it is acknowledged,
    /// and all of a partition that is not reported.
    #[test]
    fn only_done_or_parked_records_are_acknowledged(
        records in vec(((0..3_i32, 0..40_i64), acts()), 0..40),
    ) {
        let (at, acts): (Vec<_>, Vec<_>) = records.into_iter().unzip();
        let batch = batch(&at);
        let ledger = ledger_of(&batch, &acts);
        let failures = ledger.response();
        let resumes = |partition: i32| {
            let name = format!("t-{partition}");
            failures.items.iter().find(|f| f.identifier.partition == name).map_or(i64::MAX, |f| f.identifier.offset)
        };
        let acknowledged = |(partition, offset): (i32, i64)| offset < resumes(partition);
        let mut failed_at = std::collections::BTreeSet::new();
        for (at, act) in at.iter().zip(&acts) {
            if !matches!(act, Act::Done | Act::Parked) {
                prop_assert!(!acknowledged(*at), "{at:?} was {act:?} and acknowledged");
                failed_at.insert(*at);
            }
        }
        // And nothing is delivered again without need: each resumes where a record failed.
        let named: Vec<_> = (0..3).filter(|p| resumes(*p) != i64::MAX).map(|p| (p, resumes(p))).collect();
        prop_assert_eq!(named.len(), failures.items.len(), "at most one entry a partition");
        for place in named {
            prop_assert!(failed_at.contains(&place), "{place:?} did not fail");
        }
    }

    #[test]
    fn every_record_is_counted_once(acts in vec(acts(), 0..30)) {
        let at: Vec<_> = (0..acts.len()).map(|n| (0, n as i64)).collect();
        let batch = batch(&at);
        let ledger = ledger_of(&batch, &acts);
        let count = |counted: &[Act]| acts.iter().filter(|f| counted.contains(f)).count();
        let expected = OutcomeCounts {
            done: count(&[Act::Done]),
            parked: count(&[Act::Parked]),
            failed: count(&[Act::Nothing, Act::Retried, Act::ToPark]),
        };
        prop_assert_eq!(ledger.counts(), expected);
        prop_assert_eq!(ledger.to_park().count(), count(&[Act::ToPark]));
        prop_assert_eq!(ledger.response().is_empty(), expected.failed == 0);
    }

    #[test]
    fn bisecting_finds_every_failing_record(len in 0..60_usize, bad in vec(0..60_usize, 0..6)) {
        let mut parts = Bisect::new(len);
        let mut succeeded = Vec::new();
        let mut found = Vec::new();
        while let Some(part) = parts.next() {
            let finished = succeeded.len() + found.len();
            prop_assert_eq!(part.start, finished, "everything to the left is finished");
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
    fn a_delay_is_within_its_bound(attempt in 0..80_u32, a: u64, b: u64) {
        let policy = Backoff { base: Duration::from_millis(50), cap: Duration::from_secs(20), max_attempts: None };
        let delay = |random| policy.delay(attempt, random).expect("no end");
        let doubled = 50_u64.saturating_mul(1 << attempt.saturating_sub(1).min(20));
        prop_assert!(delay(a) <= policy.cap && delay(a) <= Duration::from_millis(doubled));
        prop_assert_eq!(delay(a.min(b)) <= delay(a.max(b)), true);
        prop_assert_eq!(delay(0), Duration::ZERO);
    }

    #[test]
    fn a_reason_is_one_bounded_line(text in "(?s).{0,700}") {
        let reason = Reason::new(&text);
        prop_assert!(reason.as_str().len() <= Reason::MAX_LEN);
        prop_assert!(!reason.as_str().contains(char::is_control));
    }
}

#[test]
fn the_response_has_the_form_of_the_service() {
    let batch = batch(&[(0, 41), (0, 42), (0, 43)]);
    let ledger = ledger_of(&batch, &[Act::Done, Act::Retried, Act::Done]);
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
fn only_a_record_to_park_becomes_parked() {
    let batch = batch(&[(0, 1)]);
    let mut ledger = ledger_of(&batch, &[Act::Retried]);
    ledger.parked(0);
    assert_eq!(ledger.counts().failed, 1);
}

#[test]
fn the_last_attempt_has_no_delay() {
    let policy = Backoff {
        base: Duration::from_secs(1),
        cap: Duration::from_secs(9),
        max_attempts: Some(3),
    };
    assert!(policy.delay(2, u64::MAX).is_some());
    assert_eq!(policy.delay(3, u64::MAX), None);
}

#[test]
fn sqlstates_have_their_next_step() {
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
