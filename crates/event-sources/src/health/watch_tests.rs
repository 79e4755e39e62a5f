use proptest::prelude::*;

use super::*;

fn waits(oldest: Option<Millis>, in_flight: bool) -> WaitingWork {
    WaitingWork {
        oldest,
        since: None,
        in_flight,
    }
}

fn state(watch: &SourceWatch, now: Millis) -> (SourceState, Millis) {
    let health = watch.health(now);
    (health.state, health.since_ms)
}

#[test]
fn work_that_waits_becomes_behind_then_stuck() {
    let mut watch = SourceWatch::new(1_000);
    assert_eq!(state(&watch, 90_000), (SourceState::Ok, 1_000));
    watch.waits(100_000, Some(waits(None, false)));
    assert_eq!(
        state(&watch, 100_000 + BEHIND_AFTER - 1),
        (SourceState::Ok, 1_000)
    );
    assert_eq!(
        state(&watch, 100_000 + BEHIND_AFTER),
        (SourceState::Behind, 100_000 + BEHIND_AFTER)
    );
    assert_eq!(
        state(&watch, 100_000 + STUCK_AFTER),
        (SourceState::Stuck, 100_000)
    );
    watch.unexplained(Some("nothing comes".into()));
    assert_eq!(
        watch.health(100_000 + STUCK_AFTER).reason.as_deref(),
        Some("nothing comes")
    );
    watch.blocked(Some("a transaction is open".into()));
    let health = watch.health(100_000 + STUCK_AFTER);
    assert_eq!(
        (health.reason.as_deref(), health.oldest_waiting_ms),
        (Some("a transaction is open"), Some(STUCK_AFTER))
    );
    watch.progressed(125_000);
    assert_eq!(
        state(&watch, 125_000 + STUCK_AFTER - 1),
        (SourceState::Behind, 100_000 + BEHIND_AFTER)
    );
    watch.waits(150_000, None);
    assert_eq!(state(&watch, 150_000), (SourceState::Ok, 150_000));
}

#[test]
fn a_function_at_work_is_not_stuck() {
    let mut watch = SourceWatch::new(0);
    watch.waits(0, Some(waits(None, true)));
    assert_eq!(state(&watch, 10 * STUCK_AFTER).0, SourceState::Behind);
}

#[test]
fn a_function_that_does_not_begin_is_stuck() {
    let mut watch = SourceWatch::new(0);
    watch.waits(0, Some(waits(None, true)));
    watch.refused("at its limit".into());
    assert_eq!(state(&watch, STUCK_AFTER), (SourceState::Stuck, 0));
    assert_eq!(
        watch.health(STUCK_AFTER).reason.as_deref(),
        Some("at its limit")
    );
    watch.progressed(STUCK_AFTER);
    assert_eq!(state(&watch, 3 * STUCK_AFTER).0, SourceState::Behind);
}

#[test]
fn a_source_is_behind_since_its_work_is_old() {
    let mut watch = SourceWatch::new(0);
    watch.waits(0, Some(waits(Some(0), true)));
    // new work arrives all the time and is at first done in time
    watch.waits(500_000, Some(waits(Some(499_000), true)));
    assert_eq!(state(&watch, 500_000), (SourceState::Ok, 500_000));
    watch.waits(600_000, Some(waits(Some(500_000), true)));
    watch.waits(700_000, Some(waits(Some(600_000), true)));
    assert_eq!(state(&watch, 700_000), (SourceState::Behind, 600_000));
}

#[test]
fn the_age_is_the_records_own() {
    let mut watch = SourceWatch::new(0);
    watch.waits(100_000, Some(waits(Some(40_000), true)));
    let health = watch.health(101_000);
    assert_eq!(
        (health.state, health.oldest_waiting_ms),
        (SourceState::Behind, Some(61_000))
    );
    watch.waits(101_000, Some(waits(Some(900_000), true)));
    assert_eq!(
        watch.health(101_000).oldest_waiting_ms,
        Some(0),
        "a producer's clock may be ahead"
    );
}

#[test]
fn failures_in_a_row_make_a_source_failing() {
    let mut watch = SourceWatch::new(0);
    watch.waits(0, Some(waits(None, true)));
    for at in [100, 200, 300] {
        watch.failed(at, "no table");
    }
    assert_eq!(
        state(&watch, 400).0,
        SourceState::Ok,
        "what lasts shorter is no fault"
    );
    assert_eq!(
        state(&watch, 100 + FAILING_AFTER),
        (SourceState::Failing, 100)
    );
    let health = watch.health(100 + FAILING_AFTER);
    assert!(
        health
            .problem()
            .unwrap()
            .contains("3 times in a row: no table"),
        "{health:?}"
    );
    // a discard is progress, but no success
    watch.progressed(6_000);
    assert_eq!(state(&watch, 6_000).0, SourceState::Failing);
    watch.succeeded(6_500);
    assert_eq!(state(&watch, 6_500), (SourceState::Ok, 6_500));
    assert_eq!(watch.health(6_500).last_error.unwrap().at_ms, 300);
}

#[test]
fn slow_failures_need_fewer() {
    let mut watch = SourceWatch::new(0);
    watch.waits(0, Some(waits(None, false)));
    watch.failed(1_000, "timed out");
    assert_eq!(
        state(&watch, 1_000 + STUCK_AFTER).0,
        SourceState::Behind,
        "the next try may be a while off"
    );
    watch.failed(2_000 + STUCK_AFTER, "timed out");
    assert_eq!(
        state(&watch, 2_000 + STUCK_AFTER),
        (SourceState::Failing, 1_000)
    );
}

#[test]
fn a_problem_decides_and_keeps_its_time() {
    let mut watch = SourceWatch::new(0);
    watch.paused(10, true);
    assert_eq!(state(&watch, 10), (SourceState::Paused, 10));
    watch.problem(20, Some(SourceProblem::away("no broker")));
    watch.problem(30, Some(SourceProblem::away("no broker at all")));
    assert_eq!(state(&watch, 40), (SourceState::Away, 20));
    assert_eq!(
        watch.health(40).problem().as_deref(),
        Some("no broker at all")
    );
    watch.problem(50, None);
    assert_eq!(state(&watch, 50), (SourceState::Paused, 10));
    watch.paused(60, false);
    assert_eq!(state(&watch, 70), (SourceState::Ok, 60));
}

#[test]
fn the_most_severe_part_decides() {
    let part = |state, since_ms, oldest_waiting_ms, at_ms| SourceHealth {
        state,
        since_ms,
        reason: state.is_unwell().then(|| state.name().to_owned()),
        last_error: Some(LastError {
            at_ms,
            error: at_ms.to_string(),
        }),
        oldest_waiting_ms,
        last_progress_ms: Some(at_ms),
    };
    let parts = [
        part(SourceState::Behind, 3, Some(9), 30),
        part(SourceState::Stuck, 5, None, 10),
        part(SourceState::Ok, 1, Some(4), 20),
    ];
    let whole = SourceHealth::of_parts(&parts);
    assert_eq!(
        (whole.state, whole.since_ms, whole.problem().as_deref()),
        (SourceState::Stuck, 5, Some("stuck"))
    );
    assert_eq!(
        (whole.oldest_waiting_ms, whole.last_progress_ms),
        (Some(9), Some(30))
    );
    assert_eq!(whole.last_error.unwrap().error, "30");
    assert_eq!(SourceHealth::of_parts([]), SourceHealth::default());
}

#[test]
fn a_long_error_is_shortened() {
    let mut watch = SourceWatch::new(0);
    watch.noted(1, &"ä".repeat(2_000));
    assert_eq!(
        watch.health(1).last_error.unwrap().error.chars().count(),
        501
    );
}

proptest! {
    /// After any sequence of reports an unwell source has a reason, a state has a start, an age is
    /// not negative, and a source without waiting work is unwell only by a problem.
    #[test]
    fn an_unwell_source_has_a_reason(
        steps in prop::collection::vec((0..11_usize, 0..30_000_i64), 0..40)
    ) {
        let mut now = 1_000_000;
        let mut watch = SourceWatch::new(1_000_000);
        let mut waiting = false;
        let mut problem = false;
        for (what, later) in steps {
            now += later;
            match what {
                0 => { watch.waits(now, Some(waits(Some(now - later), false))); waiting = true }
                1 => { watch.waits(now, Some(waits(None, true))); waiting = true }
                2 => { watch.waits(now, None); waiting = false }
                3 => watch.progressed(now),
                4 => watch.succeeded(now),
                5 => watch.failed(now, "an error"),
                6 => { watch.problem(now, Some(SourceProblem::stuck("an error"))); problem = true }
                7 => { watch.problem(now, None); problem = false }
                8 => watch.refused("an error".to_owned()),
                9 => watch.blocked((later % 2 == 0).then(|| "an error".to_owned())),
                _ => watch.paused(now, later % 2 == 0),
            }
            let health = watch.health(now);
            prop_assert!(health.since_ms <= now);
            prop_assert!(health.oldest_waiting_ms.is_none_or(|age| age >= 0));
            prop_assert_eq!(health.state.is_unwell(), health.problem().is_some());
            prop_assert!(waiting || problem || !health.state.is_unwell());
            prop_assert_eq!(health.oldest_waiting_ms.is_some(), waiting);
        }
    }
}
