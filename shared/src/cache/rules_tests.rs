//! The rules, over any order of loads, changes and reads of changes.

use std::time::Duration;

use proptest::prelude::*;

use super::freshness::DualInstant;
use super::rules::{ChangeFeed, LoadTicket, Rules, Stamp};
use crate::message::{ProgramChanged, ProgramId, ProgramVersion};

const FRESH_FOR: Duration = Duration::from_secs(2);
const TTL: Duration = Duration::from_secs(60);

fn at(ms: u64) -> DualInstant {
    DualInstant::new(
        Duration::from_millis(ms),
        Duration::from_millis(1_000_000 + ms),
    )
}

fn program() -> ProgramId {
    ProgramId::new(7).expect("in bounds")
}

fn version(n: i64) -> Option<ProgramVersion> {
    ProgramVersion::new(n).ok()
}

fn changed(n: i64) -> ProgramChanged {
    ProgramChanged {
        id: program(),
        version: version(n).expect("in bounds"),
    }
}

fn following() -> Rules {
    Rules::new(ChangeFeed::Follows {
        fresh_for: FRESH_FOR,
    })
}

fn loaded(n: i64, ticket: LoadTicket) -> Stamp {
    Stamp {
        version: version(n),
        ticket,
    }
}

fn serves(rules: &Rules, stamp: &Stamp, now: u64) -> bool {
    rules.may_serve(program(), stamp, TTL, at(now))
}

#[test]
fn memory_is_not_served_before_the_position() {
    let mut rules = following();
    let early = loaded(1, rules.ticket(at(0)));
    assert!(!serves(&rules, &early, 1));
    rules.begin(at(10));
    // It may have changed between its load and the position.
    assert!(!serves(&rules, &early, 11));
    assert!(serves(&rules, &loaded(1, rules.ticket(at(11))), 12));
}

#[test]
fn a_load_before_a_change_is_superseded_by_it() {
    let mut rules = following();
    rules.begin(at(0));
    let ticket = rules.ticket(at(1));
    rules.apply([changed(2)], at(2));
    assert!(!serves(&rules, &loaded(1, ticket), 3));
    assert!(serves(&rules, &loaded(2, ticket), 3));
}

#[test]
fn after_a_failed_read_memory_waits_for_a_success() {
    let mut rules = following();
    rules.begin(at(0));
    let kept = loaded(1, rules.ticket(at(1)));
    rules.fail();
    assert!(!serves(&rules, &kept, 2));
    rules.apply([], at(3));
    assert!(serves(&rules, &kept, 4));
}

#[test]
fn after_a_pause_memory_waits_for_a_new_read() {
    let mut rules = following();
    rules.begin(at(0));
    let kept = loaded(1, rules.ticket(at(1)));
    // Stopped at 2 for a minute while a read that began at 1 was in flight: its reply is old.
    assert!(!serves(&rules, &kept, 60_000));
    rules.apply([], at(1));
    assert!(!serves(&rules, &kept, 60_001));
    rules.apply([changed(2)], at(60_002));
    assert!(!serves(&rules, &kept, 60_003));
}

#[test]
fn after_a_pause_memory_waits_for_a_complete_read() {
    let mut rules = following();
    rules.begin(at(0));
    let kept = loaded(1, rules.ticket(at(1)));
    // It resumes, and the change of its program is behind a full reply of other changes.
    rules.apply_partial([]);
    assert!(!serves(&rules, &kept, 60_000));
    rules.apply([changed(2)], at(60_001));
    assert!(!serves(&rules, &kept, 60_002));
}

#[test]
fn after_a_gap_only_new_loads_are_served() {
    let mut rules = following();
    rules.begin(at(0));
    let before = rules.ticket(at(1));
    rules.begin(at(2));
    assert!(!serves(&rules, &loaded(9, before), 3));
    assert!(serves(&rules, &loaded(1, rules.ticket(at(3))), 4));
}

#[test]
fn too_many_floors_discard_memory() {
    let mut rules = following();
    rules.begin(at(0));
    let ticket = rules.ticket(at(1));
    rules.raise(changed(2));
    for id in 1_000..12_000 {
        rules.raise(ProgramChanged {
            id: ProgramId::new(id).expect("in bounds"),
            version: ProgramVersion::FIRST,
        });
    }
    assert!(!serves(&rules, &loaded(1, ticket), 2));
}

#[test]
fn without_a_feed_age_alone_decides() {
    let mut rules = Rules::new(ChangeFeed::Unavailable);
    let kept = loaded(1, rules.ticket(at(0)));
    let ttl = Duration::from_secs(2);
    assert!(rules.may_serve(program(), &kept, ttl, at(1_999)));
    assert!(!rules.may_serve(program(), &kept, ttl, at(2_000)));
    rules.raise(changed(2));
    assert!(!rules.may_serve(program(), &kept, ttl, at(1)));
}

#[test]
fn an_absent_program_is_older_than_any_version() {
    let mut rules = following();
    rules.begin(at(0));
    let absent = loaded(0, rules.ticket(at(1)));
    assert_eq!(absent.version, None);
    assert!(serves(&rules, &absent, 2));
    rules.apply([changed(1)], at(3));
    assert!(!serves(&rules, &absent, 4));
}

/// Events of an instance, in any order.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// A load begins and reads the committed version.
    Begin,
    /// The n-th load in flight ends and is stored.
    End(usize),
    /// A change is committed and published.
    Change,
    /// The follower reads everything published so far.
    Read,
    /// Entries are lost, and the follower detects the gap.
    Gap,
    /// A read fails.
    Fail,
    /// Time passes.
    Wait(u64),
    /// A request for the program.
    Request,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => Just(Event::Begin),
        3 => (0_usize..4).prop_map(Event::End),
        2 => Just(Event::Change),
        2 => Just(Event::Read),
        1 => Just(Event::Gap),
        1 => Just(Event::Fail),
        2 => (0_u64..3_000).prop_map(Event::Wait),
        4 => Just(Event::Request),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// A served version is at least the one committed when the last fresh read began.
    #[test]
    fn memory_never_serves_a_superseded_version(
        events in proptest::collection::vec(event(), 1..80),
    ) {
        let mut rules = following();
        let mut now = 1;
        let mut committed = 1;
        let mut in_flight: Vec<Stamp> = Vec::new();
        let mut kept: Option<Stamp> = None;
        // When each version was committed.
        let mut history = vec![(0, 1)];
        for event in events {
            now += 1;
            match event {
                Event::Begin => in_flight.push(loaded(committed, rules.ticket(at(now)))),
                Event::End(n) if n < in_flight.len() => kept = Some(in_flight.remove(n)),
                Event::End(_) => {}
                Event::Change => {
                    committed += 1;
                    history.push((now, committed));
                }
                Event::Read => rules.apply((2..=committed).map(changed), at(now)),
                Event::Gap => rules.begin(at(now)),
                Event::Fail => rules.fail(),
                Event::Wait(ms) => now += ms,
                Event::Request => {
                    let Some(stamp) = kept.filter(|stamp| serves(&rules, stamp, now)) else {
                        continue;
                    };
                    let expected = history
                        .iter()
                        .filter(|(when, _)| when + 2_000 <= now)
                        .map(|(_, version)| *version)
                        .max();
                    prop_assert!(
                        stamp.version >= expected.and_then(version),
                        "{stamp:?} is served, {expected:?} was committed"
                    );
                }
            }
        }
    }
}
