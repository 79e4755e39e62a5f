//! What the backlog keeps and sends, and which request waits.

use std::time::SystemTime;

use proptest::prelude::*;

use super::*;
use crate::telemetry::{SpanKind, SpanPosition, TraceContext};

fn span(n: u64) -> Span {
    let position = SpanPosition {
        context: TraceContext::begin(1, n + 1),
        parent: None,
    };
    Span::new(
        position,
        SpanKind::Server,
        "GET /",
        (SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH),
    )
}

fn send(backlog: &mut Backlog, now: Instant) -> usize {
    match backlog.next(now) {
        NextStep::Send(spans) => spans.len(),
        other => panic!("nothing to send but {other:?}"),
    }
}

#[test]
fn spans_are_gathered_unless_a_request_waits() {
    let mut backlog = Backlog::default();
    let now = Instant::now();
    assert_eq!(backlog.next(now), NextStep::Idle);
    assert!(backlog.add(span(0), now));
    assert!(!backlog.add(span(1), now));
    assert_eq!(backlog.next(now), NextStep::Wait(now + GATHER_TIME));
    assert!(backlog.begin_wait(now, Duration::ZERO));
    assert_eq!(send(&mut backlog, now), 2);
    assert_eq!(backlog.sent(Some(0), now, 0), None);
    for n in 0..=MAX_BATCH as u64 {
        assert_eq!(
            backlog.add(span(n), now),
            n == 0 || n + 1 == MAX_BATCH as u64
        );
    }
    assert_eq!(send(&mut backlog, now), MAX_BATCH);
    backlog.sent(Some(0), now, 0);
    assert_eq!(
        backlog.counts,
        SpanCounts {
            sent: 2 + MAX_BATCH as u64,
            dropped: 0
        }
    );
}

#[test]
fn a_request_waits_only_if_exports_succeed() {
    let mut backlog = Backlog::default();
    let now = Instant::now();
    let second = Duration::from_secs(1);
    assert!(!backlog.begin_wait(now, second), "nothing to wait for");
    backlog.add(span(0), now);
    assert!(backlog.begin_wait(now, second));
    assert!(!backlog.begin_wait(now, second), "recently");
    assert!(backlog.begin_wait(now + second, second));
    backlog.wait_failed();
    assert!(
        !backlog.begin_wait(now + 2 * second, second),
        "the wait timed out"
    );
    send(&mut backlog, now);
    backlog.sent(Some(0), now, 0);
    backlog.add(span(1), now);
    assert!(
        backlog.begin_wait(now + 3 * second, second),
        "an export has succeeded"
    );
    send(&mut backlog, now);
    backlog.sent(None, now, 0);
    backlog.add(span(2), now);
    assert!(
        !backlog.begin_wait(now + 4 * second, second),
        "the collector is unavailable"
    );
}

#[test]
fn an_outage_is_reported_once_with_its_losses() {
    let mut backlog = Backlog::default();
    let now = Instant::now();
    let mut attempt = |taken: Option<u64>, at: Instant| {
        backlog.add(span(0), at);
        send(&mut backlog, at + GATHER_TIME);
        let change = backlog.sent(taken, at + GATHER_TIME, u64::MAX);
        (change, backlog.next(at + GATHER_TIME))
    };
    assert_eq!(attempt(None, now).0, Some(CollectorChange::Unavailable));
    let later = now + Duration::from_secs(100);
    assert_eq!(attempt(None, later).0, None);
    assert_eq!(
        attempt(Some(0), later + Duration::from_secs(100)).0,
        Some(CollectorChange::Available(2))
    );
    assert_eq!(attempt(Some(1), later + Duration::from_secs(200)).0, None);
    assert_eq!(
        backlog.counts,
        SpanCounts {
            sent: 1,
            dropped: 3
        }
    );
    assert_eq!(
        backlog.due(now),
        Some(SpanCounts {
            sent: 1,
            dropped: 3
        })
    );
    assert_eq!(backlog.due(now), None);
}

#[test]
fn pauses_grow_with_each_failure() {
    let mut backlog = Backlog::default();
    let mut now = Instant::now();
    let mut pauses = Vec::new();
    for _ in 0..8 {
        backlog.add(span(0), now);
        now += GATHER_TIME;
        send(&mut backlog, now);
        backlog.sent(None, now, u64::MAX);
        backlog.add(span(1), now);
        let NextStep::Wait(then) = backlog.next(now) else {
            panic!("it is sent without a pause")
        };
        pauses.push((then - now).as_secs_f64().round() as u64);
        now = then;
    }
    assert_eq!(pauses, [2, 4, 8, 16, 32, 60, 60, 60]);
}

proptest! {
    #[test]
    fn every_span_is_sent_dropped_or_waiting(
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
            if let NextStep::Send(spans) = backlog.next(now) {
                prop_assert!(!spans.is_empty() && spans.len() <= MAX_BATCH);
                backlog.sent(outcome, now, 7);
            }
            prop_assert!(backlog.waiting.len() <= MAX_WAITING);
            prop_assert_eq!(backlog.since.is_none(), backlog.waiting.is_empty());
            prop_assert_eq!(
                all,
                backlog.counts.sent + backlog.counts.dropped + backlog.waiting.len() as u64,
            );
        }
    }
}
