//! What the rules promise, over any order of readers, changes, and news of them.

use std::time::Duration;

use proptest::prelude::*;

use super::moment::Moment;
use super::rules::{Hearing, Rules, Stamp, Ticket};
use crate::message::{ProgramChanged, ProgramId, ProgramVersion};

const FRESH_FOR: Duration = Duration::from_secs(2);
const TTL: Duration = Duration::from_secs(60);

fn at(ms: u64) -> Moment {
    Moment::new(
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
    Rules::new(Hearing::Follows {
        fresh_for: FRESH_FOR,
    })
}

fn loaded(n: i64, ticket: Ticket) -> Stamp {
    Stamp {
        version: version(n),
        ticket,
    }
}

fn serves(rules: &Rules, stamp: &Stamp, now: u64) -> bool {
    rules.may_serve(program(), stamp, TTL, at(now))
}

#[test]
fn nothing_is_served_from_memory_before_the_position_is_fixed() {
    let mut rules = following();
    let early = loaded(1, rules.ticket(at(0)));
    assert!(!serves(&rules, &early, 1));
    rules.begin(at(10));
    // It may have changed between its loading and the position.
    assert!(!serves(&rules, &early, 11));
    assert!(serves(&rules, &loaded(1, rules.ticket(at(11))), 12));
}

#[test]
fn a_loading_that_began_before_the_change_is_not_served_after_the_news_of_it() {
    let mut rules = following();
    rules.begin(at(0));
    let ticket = rules.ticket(at(1));
    rules.hear([changed(2)], at(2));
    assert!(!serves(&rules, &loaded(1, ticket), 3));
    assert!(serves(&rules, &loaded(2, ticket), 3));
}

#[test]
fn a_failed_read_silences_memory_until_one_succeeds() {
    let mut rules = following();
    rules.begin(at(0));
    let kept = loaded(1, rules.ticket(at(1)));
    rules.fail();
    assert!(!serves(&rules, &kept, 2));
    rules.hear([], at(3));
    assert!(serves(&rules, &kept, 4));
}

#[test]
fn an_instance_that_slept_serves_nothing_until_it_has_read_again_whatever_read_ends_late() {
    let mut rules = following();
    rules.begin(at(0));
    let kept = loaded(1, rules.ticket(at(1)));
    // Stopped at 2 for a minute, while a read that began at 1 was on its way: its answer is of then.
    assert!(!serves(&rules, &kept, 60_000));
    rules.hear([], at(1));
    assert!(!serves(&rules, &kept, 60_001));
    rules.hear([changed(2)], at(60_002));
    assert!(!serves(&rules, &kept, 60_003));
}

#[test]
fn an_instance_that_slept_serves_nothing_until_nothing_is_left_to_read() {
    let mut rules = following();
    rules.begin(at(0));
    let kept = loaded(1, rules.ticket(at(1)));
    // It wakes, and its program's change is behind a full answer of others.
    rules.hear_in_part([]);
    assert!(!serves(&rules, &kept, 60_000));
    rules.hear([changed(2)], at(60_001));
    assert!(!serves(&rules, &kept, 60_002));
}

#[test]
fn after_a_gap_only_what_was_loaded_since_is_served() {
    let mut rules = following();
    rules.begin(at(0));
    let before = rules.ticket(at(1));
    rules.begin(at(2));
    assert!(!serves(&rules, &loaded(9, before), 3));
    assert!(serves(&rules, &loaded(1, rules.ticket(at(3))), 4));
}

#[test]
fn more_floors_than_can_be_remembered_cost_what_is_kept_and_never_the_truth() {
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
fn one_that_hears_nothing_is_bound_by_age_alone() {
    let mut rules = Rules::new(Hearing::Deaf);
    let kept = loaded(1, rules.ticket(at(0)));
    let ttl = Duration::from_secs(2);
    assert!(rules.may_serve(program(), &kept, ttl, at(1_999)));
    assert!(!rules.may_serve(program(), &kept, ttl, at(2_000)));
    rules.raise(changed(2));
    assert!(!rules.may_serve(program(), &kept, ttl, at(1)));
}

#[test]
fn that_there_is_no_such_program_is_older_than_any_version() {
    let mut rules = following();
    rules.begin(at(0));
    let absent = loaded(0, rules.ticket(at(1)));
    assert_eq!(absent.version, None);
    assert!(serves(&rules, &absent, 2));
    rules.hear([changed(1)], at(3));
    assert!(!serves(&rules, &absent, 4));
}

/// What can happen to an instance, in any order.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// A loading begins: it sees what is committed now.
    Begin,
    /// The n-th loading under way ends, and is kept.
    End(usize),
    /// A change is committed and published.
    Change,
    /// The reader hears everything published so far.
    Hear,
    /// Publications get lost, and the reader notices.
    Gap,
    /// A read fails.
    Fail,
    /// Time passes.
    Wait(u64),
    /// Somebody asks.
    Ask,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => Just(Event::Begin),
        3 => (0_usize..4).prop_map(Event::End),
        2 => Just(Event::Change),
        2 => Just(Event::Hear),
        1 => Just(Event::Gap),
        1 => Just(Event::Fail),
        2 => (0_u64..3_000).prop_map(Event::Wait),
        4 => Just(Event::Ask),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Readers that loaded an old version before a change never put it back: whatever is served from memory is at least what had been
    /// committed when the last read that counts as fresh began.
    #[test]
    fn what_is_served_from_memory_is_never_older_than_what_was_heard(events in proptest::collection::vec(event(), 1..80)) {
        let mut rules = following();
        let mut now = 1;
        let mut committed = 1;
        let mut under_way: Vec<Stamp> = Vec::new();
        let mut kept: Option<Stamp> = None;
        // When each version was committed.
        let mut history = vec![(0, 1)];
        for event in events {
            now += 1;
            match event {
                Event::Begin => under_way.push(loaded(committed, rules.ticket(at(now)))),
                Event::End(n) if n < under_way.len() => kept = Some(under_way.remove(n)),
                Event::End(_) => {}
                Event::Change => {
                    committed += 1;
                    history.push((now, committed));
                }
                Event::Hear => rules.hear((2..=committed).map(changed), at(now)),
                Event::Gap => rules.begin(at(now)),
                Event::Fail => rules.fail(),
                Event::Wait(ms) => now += ms,
                Event::Ask => {
                    let Some(stamp) = kept.filter(|stamp| serves(&rules, stamp, now)) else { continue };
                    let long_ago = history.iter().filter(|(when, _)| when + 2_000 <= now).map(|(_, version)| *version).max();
                    prop_assert!(stamp.version >= long_ago.and_then(version), "{stamp:?} is served, {long_ago:?} was committed");
                }
            }
        }
    }
}
