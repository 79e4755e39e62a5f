//! What is kept, what is sent, and who waits.

use std::time::SystemTime;

use proptest::prelude::*;

use super::*;
use crate::telemetry::{Kind, Place, TraceContext};

fn span(n: u64) -> Span {
    let place = Place {
        context: TraceContext::begin(1, n + 1),
        parent: None,
    };
    Span::new(
        place,
        Kind::Server,
        "GET /",
        (SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH),
    )
}

fn send(backlog: &mut Backlog, now: Instant) -> usize {
    match backlog.next(now) {
        Next::Send(spans) => spans.len(),
        other => panic!("nothing to send but {other:?}"),
    }
}

#[test]
fn spans_are_gathered_unless_there_are_many_or_somebody_waits() {
    let mut backlog = Backlog::default();
    let now = Instant::now();
    assert_eq!(backlog.next(now), Next::Nothing);
    assert!(backlog.add(span(0), now));
    assert!(!backlog.add(span(1), now));
    assert_eq!(backlog.next(now), Next::Wait(now + GATHER));
    assert!(backlog.hurry(now, Duration::ZERO));
    assert_eq!(send(&mut backlog, now), 2);
    assert_eq!(backlog.ended(Some(0), now, 0), None);
    for n in 0..=BATCH as u64 {
        assert_eq!(backlog.add(span(n), now), n == 0 || n + 1 == BATCH as u64);
    }
    assert_eq!(send(&mut backlog, now), BATCH);
    backlog.ended(Some(0), now, 0);
    assert_eq!(
        backlog.counts,
        Counts {
            sent: 2 + BATCH as u64,
            dropped: 0
        }
    );
}

#[test]
fn nobody_waits_without_hope_nor_more_often_than_told() {
    let mut backlog = Backlog::default();
    let now = Instant::now();
    let second = Duration::from_secs(1);
    assert!(!backlog.hurry(now, second), "nothing to wait for");
    backlog.add(span(0), now);
    assert!(backlog.hurry(now, second));
    assert!(!backlog.hurry(now, second), "lately");
    assert!(backlog.hurry(now + second, second));
    backlog.waited_in_vain();
    assert!(!backlog.hurry(now + 2 * second, second), "in vain");
    send(&mut backlog, now);
    backlog.ended(Some(0), now, 0);
    backlog.add(span(1), now);
    assert!(backlog.hurry(now + 3 * second, second), "hope again");
    send(&mut backlog, now);
    backlog.ended(None, now, 0);
    backlog.add(span(2), now);
    assert!(
        !backlog.hurry(now + 4 * second, second),
        "the collector is away"
    );
}

#[test]
fn an_outage_is_told_of_once_and_its_end_with_what_was_lost() {
    let mut backlog = Backlog::default();
    let now = Instant::now();
    let mut attempt = |taken: Option<u64>, at: Instant| {
        backlog.add(span(0), at);
        send(&mut backlog, at + GATHER);
        let news = backlog.ended(taken, at + GATHER, u64::MAX);
        (news, backlog.next(at + GATHER))
    };
    assert_eq!(attempt(None, now).0, Some(News::Away));
    let later = now + Duration::from_secs(100);
    assert_eq!(attempt(None, later).0, None);
    assert_eq!(
        attempt(Some(0), later + Duration::from_secs(100)).0,
        Some(News::Back(2))
    );
    assert_eq!(attempt(Some(1), later + Duration::from_secs(200)).0, None);
    assert_eq!(
        backlog.counts,
        Counts {
            sent: 1,
            dropped: 3
        }
    );
    assert_eq!(
        backlog.due(now),
        Some(Counts {
            sent: 1,
            dropped: 3
        })
    );
    assert_eq!(backlog.due(now), None);
}

#[test]
fn after_a_failure_nothing_is_sent_for_a_growing_while() {
    let mut backlog = Backlog::default();
    let mut now = Instant::now();
    let mut pauses = Vec::new();
    for _ in 0..8 {
        backlog.add(span(0), now);
        now += GATHER;
        send(&mut backlog, now);
        backlog.ended(None, now, u64::MAX);
        backlog.add(span(1), now);
        let Next::Wait(then) = backlog.next(now) else {
            panic!("it is sent at once")
        };
        pauses.push((then - now).as_secs_f64().round() as u64);
        now = then;
    }
    assert_eq!(pauses, [2, 4, 8, 16, 32, 60, 60, 60]);
}

proptest! {
    #[test]
    fn every_span_is_sent_dropped_or_waits_and_never_are_there_too_many(
        steps in proptest::collection::vec((0..3_000_u64, proptest::option::of(0..2_u64), 0..100_u64), 0..40)
    ) {
        let mut backlog = Backlog::default();
        let mut now = Instant::now();
        let mut all = 0;
        for (spans, outcome, seconds) in steps {
            for n in 0..spans {
                backlog.add(span(n), now);
            }
            all += spans;
            now += Duration::from_secs(seconds);
            if let Next::Send(spans) = backlog.next(now) {
                prop_assert!(!spans.is_empty() && spans.len() <= BATCH);
                backlog.ended(outcome, now, 7);
            }
            prop_assert!(backlog.waiting.len() <= MOST);
            prop_assert_eq!(backlog.since.is_none(), backlog.waiting.is_empty());
            prop_assert_eq!(all, backlog.counts.sent + backlog.counts.dropped + backlog.waiting.len() as u64);
        }
    }
}
