//! The rule of admission, as properties.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const LIMIT: BacklogLimit = BacklogLimit {
    unread: 1_000,
    stall_ms: 10_000,
};
const IDLE: Option<OrderBacklog> = Some(OrderBacklog { unread: 0, read: 7 });

fn rate(n: u32) -> AdmissionRate {
    AdmissionRate::new(n).expect("in bounds")
}

const fn unread(unread: u64, read: u64) -> OrderBacklog {
    OrderBacklog { unread, read }
}

const fn at(now_ms: u64, credit_ms: u64) -> RoundState {
    RoundState {
        now_ms,
        credit_ms,
        read: None,
        moved_ms: 0,
        waiting: u32::MAX,
    }
}

/// The state of the next round, `ms` later.
const fn then(round: Round, now_ms: u64, waiting: u32) -> RoundState {
    RoundState {
        now_ms,
        credit_ms: round.credit_ms,
        read: round.read,
        moved_ms: round.moved_ms,
        waiting,
    }
}

proptest! {
    /// Whenever rounds are run, and whatever they find, no time has more admissions than the rate and
    /// the credit allow; none is admitted who does not wait, or beyond what order-create may have unread.
    #[test]
    fn no_time_has_more_admissions_than_the_rate_allows(
        per_second in 1..=500_u32,
        rounds in vec((0..5_000_u64, 0..2_000_u32, proptest::option::of((0..1_500_u64, 0..3_u64))), 1..60),
    ) {
        let mut now = 1_000_000;
        let mut last: Option<Round> = None;
        let mut admissions: Vec<(u64, u64)> = Vec::new();
        for (pause, waiting, backlog) in rounds {
            now += pause;
            let state = last.map_or(RoundState { waiting, ..at(now, now) }, |last| then(last, now, waiting));
            let backlog = backlog.map(|(unread, read)| OrderBacklog { unread, read });
            let decided = admission_round(state, rate(per_second), backlog, LIMIT);
            prop_assert!(decided.admitted <= waiting);
            let allowed = backlog.map_or(0, |b| LIMIT.unread.saturating_sub(b.unread));
            prop_assert!(u64::from(decided.admitted) <= allowed);
            prop_assert!(decided.credit_ms <= now, "no credit of the future is used");
            admissions.push((now, u64::from(decided.admitted)));
            last = Some(decided);
        }
        for (n, (from, _)) in admissions.iter().enumerate() {
            let mut sum = 0;
            for (until, admitted) in &admissions[n..] {
                sum += admitted;
                prop_assert!(sum * 1000 <= u64::from(per_second) * (until - from + CREDIT_MS));
            }
        }
    }

    /// Rounds that are at most the credit apart lose nothing of the rate.
    #[test]
    fn frequent_rounds_use_the_whole_rate(
        per_second in 1..=500_u32,
        pauses in vec(1..=1_000_u64, 50..100),
    ) {
        let began = 1_000_000;
        let (mut now, mut sum) = (began, 0);
        let mut state = at(now, now);
        for pause in pauses {
            now += pause;
            state.now_ms = now;
            let decided = admission_round(state, rate(per_second), IDLE, LIMIT);
            sum += u64::from(decided.admitted);
            state = then(decided, now, u32::MAX);
        }
        let allowed = u64::from(per_second) * (now - began) / 1000;
        // Each round rounds the time that it has used up to a whole millisecond.
        prop_assert!(sum <= allowed && sum * 1000 + 100 * u64::from(per_second) + 1000 >= allowed * 1000,
            "{sum} of {allowed}");
    }
}

#[test]
fn a_backlog_bounds_admission_and_ends_it() {
    let admitted = |backlog| {
        let decided = admission_round(at(10_000, 0), rate(100), backlog, LIMIT);
        (decided.admitted, decided.paused)
    };
    assert_eq!(admitted(IDLE), (200, false));
    assert_eq!(admitted(Some(unread(950, 7))), (50, false));
    assert_eq!(admitted(Some(unread(1_000, 7))), (0, true));
    assert_eq!(admitted(Some(unread(5_000, 7))), (0, true));
    assert_eq!(admitted(None), (0, true), "it is not known");
}

#[test]
fn a_consumer_that_does_not_move_ends_admission_until_it_moves() {
    let mut state = at(100_000, 0);
    let mut decide = |now_ms, backlog| {
        state.now_ms = now_ms;
        let decided = admission_round(state, rate(10), backlog, LIMIT);
        state = then(decided, now_ms, u32::MAX);
        decided.paused
    };
    // However long nothing was unread, the time begins with the first record that is.
    assert!(!decide(100_000, Some(unread(0, 7))));
    assert!(!decide(900_000, Some(unread(5, 7))));
    assert!(!decide(909_999, Some(unread(9, 7))));
    assert!(decide(910_000, Some(unread(9, 7))));
    assert!(decide(911_000, None));
    assert!(decide(950_000, Some(unread(9, 7))));
    assert!(!decide(951_000, Some(unread(9, 8))));
    assert!(!decide(952_000, Some(unread(0, 17))));
}

#[test]
fn a_clock_that_is_set_back_stops_admission_for_no_longer_than_a_credit() {
    let decided = admission_round(at(5_000, 3_600_000), rate(10), IDLE, LIMIT);
    assert_eq!((decided.admitted, decided.credit_ms), (0, 5_000));
    let next = admission_round(then(decided, 6_000, 9), rate(10), IDLE, LIMIT);
    assert_eq!(next.admitted, 9);
}

#[test]
fn a_buyer_looks_again_before_the_place_lapses() {
    assert_eq!(estimated_wait(1, rate(10)), 1);
    assert_eq!(estimated_wait(101, rate(10)), 11);
    for (wait, patience, pause) in [
        (0, 120, 1),
        (8, 120, 2),
        (1_000, 120, 40),
        (1_000, 3_600, 60),
        (1_000, 2, 1),
    ] {
        assert_eq!(next_look(wait, patience), pause, "{wait} {patience}");
    }
}
