//! Orders without a row when their entries are due.

use shared::gate::{Abandoned, ReservationState};
use shared::message::{OrderRequested, UserId};
use shared::sale::Status;
use shared::store::{Fence, ReplayBegun, ReplayEnd};

use crate::environment::{APPENDED_MS, TestEnvironment, with};

/// The fence of a closer that has no more than the entry.
fn fence(order: &OrderRequested) -> Fence {
    Fence::of_number(order.order, order.nonce, order.program, "abandoned")
}

#[tokio::test]
async fn a_dead_storefronts_order_is_fenced_before_release() {
    with(1, |env| async move {
        let order = env.held("alice", &[3, 4]).await;
        env.due(&order).await;
        let report = env.tick().await;
        assert_eq!(
            (report.claimed, report.outcome.fenced, report.outcome.failed),
            (1, 1, 0)
        );
        let row = env.row(&order).await.expect("fenced");
        assert_eq!(
            (row.status, row.reason.as_deref()),
            (Status::Void, Some("abandoned"))
        );
        assert_eq!(
            (row.user, row.seats),
            (Some(order.user.clone()), order.seats.clone())
        );
        assert_eq!(env.free().await, 10);
        assert!(!env.has_entry(&order).await);
        // Its message arrives late.
        env.create(Some(&order), 0, APPENDED_MS).await;
        assert_eq!(env.status(&order).await, Some(Status::Void));
    })
    .await;
}

#[tokio::test]
async fn a_held_order_stored_meanwhile_is_kept() {
    with(1, |env| async move {
        let order = env.held("alice", &[3, 4]).await;
        env.create(Some(&order), 0, APPENDED_MS).await;
        env.due(&order).await;
        assert_eq!(env.tick().await.outcome.fenced, 0);
        assert_eq!(env.status(&order).await, Some(Status::Unpaid));
        assert_eq!(env.free().await, 8);
        assert!(env.due_in_ms(&order).await > 800_000);
    })
    .await;
}

#[tokio::test]
async fn an_abandoned_order_is_fenced_by_the_closer() {
    with(1, |env| async move {
        let order = env.held("alice", &[3, 4]).await;
        assert_eq!(
            env.gate.abandon(env.at(&order)).await,
            Ok(Abandoned::WasHeld)
        );
        env.due(&order).await;
        assert_eq!(env.tick().await.outcome.fenced, 1);
        assert_eq!(env.status(&order).await, Some(Status::Void));
        assert_eq!(env.free().await, 10);
    })
    .await;
}

#[tokio::test]
async fn a_fence_of_a_dead_closer_is_settled() {
    with(1, |env| async move {
        let order = env.held("alice", &[3, 4]).await;
        assert_eq!(
            env.gate.abandon(env.at(&order)).await,
            Ok(Abandoned::WasHeld)
        );
        env.store
            .fence(&fence(&order))
            .await
            .expect("Postgres runs");
        env.due(&order).await;
        env.tick().await;
        assert_eq!(env.free().await, 10);
        assert!(!env.has_entry(&order).await);
    })
    .await;
}

#[tokio::test]
async fn an_entry_that_is_put_off_again_has_an_age() {
    with(1, |env| async move {
        let order = env.accepted("alice", &[3, 4], 5).await;
        env.due(&order).await;
        for waited_ms in [0, 2_000, 6_000] {
            let outcome = env.tick().await.outcome;
            assert_eq!((outcome.put_off, outcome.oldest_put_off_ms), (1, waited_ms));
            env.wait_over(&order).await;
        }
        // It only waits for its time to pay.
        let unpaid = env.unpaid("bob", &[7], 4).await;
        env.due(&unpaid).await;
        env.tick().await;
        env.wait_over(&order).await;
        env.store
            .fence(&fence(&order))
            .await
            .expect("Postgres runs");
        env.wait_over(&unpaid).await;
        assert_eq!(env.tick().await.outcome.oldest_put_off_ms, 0);
    })
    .await;
}

#[tokio::test]
async fn an_accepted_order_waits_for_order_create() {
    with(1, |env| async move {
        let order = env.accepted("alice", &[3, 4], 5).await;
        // Order-create has passed all records before it.
        env.create(None, 4, APPENDED_MS).await;
        for _ in 0..3 {
            env.due(&order).await;
            let report = env.tick().await;
            assert_eq!(
                (
                    report.claimed,
                    report.outcome.put_off,
                    report.outcome.fenced
                ),
                (1, 1, 0)
            );
            assert!(env.due_in_ms(&order).await > 0);
        }
        assert_eq!(env.status(&order).await, None);
        assert_eq!(env.free().await, 8);
        env.create(Some(&order), 5, APPENDED_MS).await;
        env.due(&order).await;
        env.tick().await;
        assert_eq!(env.status(&order).await, Some(Status::Unpaid));
        assert_eq!(env.free().await, 8);
    })
    .await;
}

#[tokio::test]
async fn an_accepted_order_that_was_parked_is_void() {
    with(1, |env| async move {
        let order = env.accepted("alice", &[3, 4], 5).await;
        env.create(None, 5, APPENDED_MS).await;
        env.due(&order).await;
        let report = env.tick().await;
        assert_eq!(
            (
                report.outcome.fenced,
                report.sweep.map(|swept| swept.parked)
            ),
            (1, Some(1))
        );
        let row = env.row(&order).await.expect("fenced");
        assert_eq!(
            (row.status, row.reason.as_deref()),
            (Status::Void, Some("parked"))
        );
        assert_eq!(env.free().await, 10);
    })
    .await;
}

#[tokio::test]
async fn waiting_for_order_create_backs_off_by_attempt() {
    with(1, |env| async move {
        let order = env.accepted("alice", &[3, 4], 5).await;
        let mut waits = Vec::new();
        for _ in 0..6 {
            env.wait_over(&order).await;
            assert_eq!(env.tick().await.outcome.put_off, 1);
            waits.push((env.due_in_ms(&order).await + 1_999) / 2_000 * 2);
        }
        assert_eq!(waits, [2, 4, 8, 16, 30, 30], "s");
        // Once the order is stored, its entry is due when its time to pay ends.
        env.create(Some(&order), 5, APPENDED_MS).await;
        env.settle(&order).await;
        assert!(env.due_in_ms(&order).await > 800_000);
    })
    .await;
}

/// An operator replays the newest parked record. The broker appends it at this offset; `None`: the
/// result is unknown.
async fn put_back(env: &TestEnvironment, offset: Option<i64>) {
    let parked = env
        .store
        .parked(None, None, None, 1)
        .await
        .expect("Postgres runs")
        .remove(0);
    let operator = UserId::new("operator").expect("valid");
    let lease = std::time::Duration::from_secs(60);
    let begun = env
        .store
        .begin_replay(parked.id, parked.replays, &operator, lease)
        .await
        .expect("Postgres runs");
    let ReplayBegun::Yes(replay) = begun else {
        panic!("{begun:?}")
    };
    if let Some(offset) = offset {
        let end = ReplayEnd::Published {
            partition: 0,
            offset,
        };
        assert!(
            env.store
                .end_replay(&replay, &end)
                .await
                .expect("Postgres runs")
        );
    }
}

#[tokio::test]
async fn a_replayed_order_waits_unfenced() {
    with(1, |env| async move {
        let order = env.accepted("alice", &[3, 4], 5).await;
        env.create(None, 5, APPENDED_MS).await;
        for offset in [None, Some(9)] {
            put_back(&env, offset).await;
            env.due(&order).await;
            let report = env.tick().await;
            assert_eq!(
                (report.outcome.fenced, report.outcome.put_off),
                (0, 1),
                "{offset:?}"
            );
            env.run("UPDATE parked SET busy_until = NULL").await;
            // From here on only the published attempt counts.
            env.run("UPDATE parked_replays SET began_at = now() - interval '1 hour'")
                .await;
        }
        env.create(Some(&order), 9, APPENDED_MS).await;
        env.due(&order).await;
        env.tick().await;
        assert_eq!(
            (env.status(&order).await, env.free().await),
            (Some(Status::Unpaid), 8)
        );
        assert!(env.due_in_ms(&order).await > 800_000);
    })
    .await;
}

#[tokio::test]
async fn an_order_whose_replay_is_parked_again_ends() {
    with(1, |env| async move {
        let order = env.accepted("alice", &[3, 4], 5).await;
        env.create(None, 5, APPENDED_MS).await;
        put_back(&env, Some(6)).await;
        env.create(None, 6, APPENDED_MS).await;
        put_back(&env, Some(8)).await;
        env.due(&order).await;
        assert_eq!(
            env.tick().await.outcome.fenced,
            0,
            "the copy of the copy is not read yet"
        );
        env.create(None, 8, APPENDED_MS).await;
        env.due(&order).await;
        assert_eq!(env.tick().await.outcome.fenced, 1);
        assert_eq!(
            (env.status(&order).await, env.free().await),
            (Some(Status::Void), 10)
        );
    })
    .await;
}

#[tokio::test]
async fn progress_of_an_earlier_topic_passes_nothing() {
    with(1, |env| async move {
        env.create(None, 900, APPENDED_MS - 1).await;
        let order = env.accepted("alice", &[3, 4], 5).await;
        env.due(&order).await;
        assert_eq!(env.tick().await.outcome.put_off, 1);
        assert_eq!(env.status(&order).await, None);
        assert_eq!(env.free().await, 8);
    })
    .await;
}

#[tokio::test]
async fn a_closed_gate_fences_no_order() {
    with(1, |env| async move {
        let order = env.held("alice", &[3, 4]).await;
        let _: u64 = env
            .redis(&["HSET", &env.program_key("head"), "state", "loading"])
            .await;
        env.due(&order).await;
        assert_eq!(env.tick().await.outcome.put_off, 1);
        assert_eq!(env.status(&order).await, None);
        let reservation = env
            .gate
            .reservation(order.order)
            .await
            .expect("Redis runs")
            .expect("kept");
        assert_eq!(reservation.state, ReservationState::Held);
        assert!(env.has_entry(&order).await);
    })
    .await;
}
