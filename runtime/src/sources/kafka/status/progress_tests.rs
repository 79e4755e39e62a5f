//! Positions, lag and health of a mapping.

use std::collections::BTreeSet;

use event_sources::health::{SourceProblem, SourceState};
use event_sources::stream::{Holding, Offset, Partition};
use sam_template::model::KafkaKind;

use super::owned::OwnedPartition;
use super::problems::unread_text;
use super::progress::MappingProgress;
use super::{LogEnd, PartitionStatus};
use crate::sources::kafka::discards::tests::mapping;

const P0: Partition = Partition {
    topic: 0,
    number: 0,
};

/// The progress of a mapping of the topic `orders`.
fn progress() -> MappingProgress {
    MappingProgress::new(&mapping(KafkaKind::SelfManaged))
}

/// A partition without records.
fn none() -> Holding {
    Holding {
        partition: P0,
        ..Holding::default()
    }
}

fn held(held: usize, first: Offset) -> Holding {
    Holding {
        held,
        first: Some(first),
        oldest: Some(1_000),
        ..none()
    }
}

fn shown(progress: &MappingProgress, holding: Holding) -> PartitionStatus {
    progress.update(std::iter::once(holding));
    progress.snapshot().partitions.remove(0)
}

#[test]
fn a_first_record_that_fails_has_a_position_and_a_lag() {
    let progress = progress();
    progress.set_log_end(P0, LogEnd::reported(9, 9, 9));
    let status = shown(&progress, held(4, 5));
    assert_eq!((status.position, status.lag), (Some(5), Some(4)));
    assert!(status.health.oldest_waiting_ms.is_some_and(|age| age > 0));
}

#[test]
fn markers_that_were_passed_are_no_lag() {
    let progress = progress();
    progress.set_log_end(P0, LogEnd::reported(10, 10, 10));
    progress.set_position(P0, 9);
    assert_eq!(shown(&progress, none()).lag, Some(1));
    progress.set_position(P0, 10);
    assert_eq!(shown(&progress, none()).lag, Some(0));
}

#[test]
fn what_follows_an_open_transaction_waits_and_is_no_lag() {
    let progress = progress();
    progress.set_log_end(P0, LogEnd::reported(10, 14, 10));
    progress.set_position(P0, 10);
    let status = shown(&progress, none());
    assert_eq!(
        (status.lag, status.end, status.stable_end),
        (Some(0), Some(14), Some(10))
    );
    assert!(status.health.oldest_waiting_ms.is_some(), "something waits");
    progress.set_log_end(P0, LogEnd::reported(15, 15, 15));
    progress.set_position(P0, 15);
    assert_eq!(shown(&progress, none()).health.oldest_waiting_ms, None);
}

#[test]
fn what_was_looked_up_counts_until_a_report_says_more() {
    let progress = progress();
    progress.set_log_end(P0, LogEnd::reported(10, 10, 10));
    progress.set_stable_end(P0, 50);
    progress.set_log_end(P0, LogEnd::reported(10, 10, 10));
    assert_eq!(shown(&progress, held(10, 0)).lag, Some(50));
    progress.set_log_end(P0, LogEnd::reported(60, 60, 60));
    assert_eq!(shown(&progress, held(10, 0)).lag, Some(60));
}

#[test]
fn nothing_is_known_before_the_first_answer() {
    let progress = progress();
    progress.set_log_end(P0, LogEnd::reported(0, -1001, -1001));
    let status = shown(&progress, none());
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
    let progress = progress();
    let state = |progress: &MappingProgress| {
        progress.update(std::iter::once(none()));
        progress.snapshot().health.state
    };
    assert_eq!(state(&progress), SourceState::Ok);
    progress.set_paused(false, BTreeSet::from([P0]));
    assert_eq!(state(&progress), SourceState::Paused);
    progress.set_problem(Some(P0), Some("cannot be read".to_owned()));
    assert_eq!(state(&progress), SourceState::Stuck);
    progress.set_topic("orders", Some(SourceProblem::missing("no topic orders")));
    assert_eq!(state(&progress), SourceState::Missing);
    progress
        .away
        .store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(state(&progress), SourceState::Away);
    progress.note_error("connection refused");
    assert_eq!(state(&progress), SourceState::Away);
    assert!(
        progress
            .snapshot()
            .problem
            .unwrap()
            .starts_with("Kafka is away (connection refused)")
    );
    progress
        .away
        .store(false, std::sync::atomic::Ordering::Relaxed);
    progress.set_topic("orders", None);
    progress.set_problem(Some(P0), None);
    progress.set_paused(false, BTreeSet::new());
    assert_eq!(state(&progress), SourceState::Ok);
}

#[test]
fn the_end_of_a_consumer_is_shown_until_the_next_has_a_partition() {
    let progress = progress();
    progress.run_failed("fenced");
    progress.reset();
    progress.update(std::iter::empty());
    let health = progress.snapshot().health;
    assert_eq!(
        (health.state, health.last_error.unwrap().error.as_str()),
        (SourceState::Stuck, "fenced")
    );
    progress.update(std::iter::once(none()));
    assert_eq!(progress.snapshot().health.state, SourceState::Ok);
}

#[test]
fn topics_without_a_partition_and_full_partitions_are_looked_up() {
    let progress = progress();
    assert_eq!(progress.missing(2), (vec![0, 1], vec![]));
    progress.update(std::iter::once(Holding {
        full: true,
        ..held(3, 0)
    }));
    assert_eq!(progress.missing(2), (vec![1], vec![P0]));
}

#[test]
fn a_host_that_the_group_gives_nothing_is_stuck() {
    let progress = progress();
    let health = |owned: Option<Holding>| {
        progress.update(owned.into_iter());
        progress.snapshot().health
    };
    assert!(progress.owns_nothing());
    progress.set_group_problem(Some("the group rebalances".to_owned()));
    assert_eq!(
        (health(None).state, health(None).reason.as_deref()),
        (SourceState::Stuck, Some("the group rebalances"))
    );
    assert_eq!(
        health(Some(none())).state,
        SourceState::Ok,
        "it has a partition"
    );
    progress.set_group_problem(Some("the brokers give no information".to_owned()));
    progress.reset();
    assert_eq!(health(None).state, SourceState::Ok);
}
