//! Positions, lag and health of a mapping.

use std::collections::BTreeSet;

use event_sources::health::{SourceProblem, SourceState};
use event_sources::stream::{Holding, Offset, Partition};

use super::owned::OwnedPartition;
use super::problems::unread_text;
use super::progress::{MappingProgress, TopicFound};
use super::{LogEnd, PartitionStatus};

const P0: Partition = Partition {
    topic: 0,
    number: 0,
};

fn topics() -> Vec<String> {
    vec!["orders".to_owned()]
}

fn held(held: usize, first: Offset) -> Holding {
    Holding {
        held,
        first: Some(first),
        oldest: Some(1_000),
        ..Holding::none(P0)
    }
}

fn shown(progress: &MappingProgress, holding: Holding) -> PartitionStatus {
    progress.update(&topics(), std::iter::once(holding));
    progress.snapshot(&topics()).partitions.remove(0)
}

#[test]
fn a_first_record_that_fails_has_a_position_and_a_lag() {
    let progress = MappingProgress::default();
    progress.set_log_end(P0, LogEnd::reported(9, 9, 9));
    let status = shown(&progress, held(4, 5));
    assert_eq!((status.position, status.lag), (Some(5), Some(4)));
    assert!(status.health.oldest_waiting_ms.is_some_and(|age| age > 0));
}

#[test]
fn markers_that_were_passed_are_no_lag() {
    let progress = MappingProgress::default();
    progress.set_log_end(P0, LogEnd::reported(10, 10, 10));
    progress.set_position(P0, 9);
    assert_eq!(shown(&progress, Holding::none(P0)).lag, Some(1));
    progress.set_position(P0, 10);
    assert_eq!(shown(&progress, Holding::none(P0)).lag, Some(0));
}

#[test]
fn what_follows_an_open_transaction_waits_and_is_no_lag() {
    let progress = MappingProgress::default();
    progress.set_log_end(P0, LogEnd::reported(10, 14, 10));
    progress.set_position(P0, 10);
    let status = shown(&progress, Holding::none(P0));
    assert_eq!(
        (status.lag, status.end, status.stable_end),
        (Some(0), Some(14), Some(10))
    );
    assert!(status.health.oldest_waiting_ms.is_some(), "something waits");
    progress.set_log_end(P0, LogEnd::reported(15, 15, 15));
    progress.set_position(P0, 15);
    assert_eq!(
        shown(&progress, Holding::none(P0)).health.oldest_waiting_ms,
        None
    );
}

#[test]
fn what_was_looked_up_counts_until_a_report_says_more() {
    let progress = MappingProgress::default();
    progress.set_log_end(P0, LogEnd::reported(10, 10, 10));
    progress.set_stable_end(P0, 50);
    progress.set_log_end(P0, LogEnd::reported(10, 10, 10));
    assert_eq!(shown(&progress, held(10, 0)).lag, Some(50));
    progress.set_log_end(P0, LogEnd::reported(60, 60, 60));
    assert_eq!(shown(&progress, held(10, 0)).lag, Some(60));
}

#[test]
fn nothing_is_known_before_the_first_answer() {
    let progress = MappingProgress::default();
    progress.set_log_end(P0, LogEnd::reported(0, -1001, -1001));
    let status = shown(&progress, Holding::none(P0));
    assert_eq!(
        (status.position, status.lag, status.end),
        (None, None, None)
    );
}

#[test]
fn a_batch_that_is_gathered_is_at_work() {
    let mut owned = OwnedPartition::new(0, P0);
    owned.holding = Holding {
        gathers_until: Some(300_000),
        ..held(3, 0)
    };
    assert!(owned.waiting(299_999, LogEnd::default()).unwrap().in_flight);
    assert!(!owned.waiting(300_000, LogEnd::default()).unwrap().in_flight);
}

#[test]
fn what_does_not_arrive_is_named() {
    let mut owned = OwnedPartition::new(0, P0);
    let log = LogEnd::reported(5, 9, 9);
    assert_eq!(owned.unread(log), Some(5));
    owned.holding = held(1, 5);
    assert_eq!(owned.unread(log), None);
    assert!(unread_text("orders-0", 5).contains("orders-0 from offset 5"));
}

#[test]
fn the_worst_fault_is_the_mappings() {
    let progress = MappingProgress::default();
    let state = |progress: &MappingProgress| {
        progress.update(&topics(), std::iter::once(Holding::none(P0)));
        progress.snapshot(&topics()).health.state
    };
    assert_eq!(state(&progress), SourceState::Ok);
    progress.set_paused(false, BTreeSet::from([P0]));
    assert_eq!(state(&progress), SourceState::Paused);
    progress.set_problem(Some(P0), Some("cannot be read".to_owned()));
    assert_eq!(state(&progress), SourceState::Stuck);
    progress.set_topic(
        "orders",
        TopicFound::Fault(SourceProblem::missing("no topic orders")),
    );
    assert_eq!(state(&progress), SourceState::Missing);
    progress
        .away
        .store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(state(&progress), SourceState::Away);
    progress.note_error("connection refused");
    assert_eq!(state(&progress), SourceState::Away);
    assert!(
        progress
            .snapshot(&topics())
            .problem
            .unwrap()
            .starts_with("Kafka is away (connection refused)")
    );
    progress
        .away
        .store(false, std::sync::atomic::Ordering::Relaxed);
    progress.set_topic("orders", TopicFound::Exists);
    progress.set_problem(Some(P0), None);
    progress.set_paused(false, BTreeSet::new());
    assert_eq!(state(&progress), SourceState::Ok);
}

#[test]
fn the_end_of_a_consumer_is_shown_until_the_next_has_a_partition() {
    let progress = MappingProgress::default();
    progress.run_failed("fenced");
    progress.reset();
    progress.update(&topics(), std::iter::empty());
    let health = progress.snapshot(&topics()).health;
    assert_eq!(
        (health.state, health.last_error.unwrap().error.as_str()),
        (SourceState::Stuck, "fenced")
    );
    progress.update(&topics(), std::iter::once(Holding::none(P0)));
    assert_eq!(progress.snapshot(&topics()).health.state, SourceState::Ok);
}

#[test]
fn topics_without_a_partition_and_full_partitions_are_looked_up() {
    let progress = MappingProgress::default();
    assert_eq!(progress.missing(2), (vec![0, 1], vec![]));
    progress.update(
        &topics(),
        std::iter::once(Holding {
            full: true,
            ..held(3, 0)
        }),
    );
    assert_eq!(progress.missing(2), (vec![1], vec![P0]));
}

#[test]
fn a_host_that_the_group_gives_nothing_is_stuck() {
    let progress = MappingProgress::default();
    let health = |owned: Option<Holding>| {
        progress.update(&topics(), owned.into_iter());
        progress.snapshot(&topics()).health
    };
    assert!(progress.owns_nothing());
    progress.set_group_problem(Some("the group rebalances".to_owned()));
    assert_eq!(
        (health(None).state, health(None).reason.as_deref()),
        (SourceState::Stuck, Some("the group rebalances"))
    );
    assert_eq!(
        health(Some(Holding::none(P0))).state,
        SourceState::Ok,
        "it has a partition"
    );
    progress.set_group_problem(Some("the brokers give no information".to_owned()));
    progress.reset();
    assert_eq!(health(None).state, SourceState::Ok);
}
