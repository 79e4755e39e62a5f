//! The jobs of the sweep.

use shared::reconcile::reconcile;
use shared::sale::Status;
use shared::store::Cancel;

use crate::environment::{APPENDED_MS, TestEnvironment, hall, tick, with};

#[tokio::test]
async fn the_sweep_settles_dirty_orders() {
    with(1, |env| async move {
        let order = env.unpaid("alice", &[3, 4], 0).await;
        // Redis was away when this was committed.
        let cancelled = env
            .store
            .cancel(order.order, &order.user)
            .await
            .expect("Postgres runs");
        assert!(matches!(cancelled, Cancel::Cancelled(_)));
        assert_eq!(env.free().await, 8);
        let swept = env.tick().await.sweep.expect("a first tick sweeps");
        assert_eq!((swept.settled, swept.unsettled), (1, 0));
        assert_eq!(env.free().await, 10);
        assert!(!env.has_entry(&order).await);
        assert_eq!(env.store.dirty(None, 10).await.expect("Postgres runs"), []);
    })
    .await;
}

#[tokio::test]
async fn the_sweep_deletes_orders_after_their_time() {
    with(1, |env| async move {
        let order = env.unpaid("alice", &[3, 4], 0).await;
        let cancelled = env.store.cancel(order.order, &order.user).await;
        assert!(matches!(cancelled, Ok(Cancel::Cancelled(_))));
        let swept = env.tick().await.sweep.expect("a first tick sweeps");
        assert_eq!((swept.settled, swept.expired), (1, 0));
        // Its number contains its time.
        env.run("UPDATE orders SET number = 4194304").await;
        let swept = env.tick().await.sweep.expect("a first tick sweeps");
        assert_eq!(swept.expired, 1);
        let kept = env.store.orders_of(&order.user, None, 1).await;
        assert_eq!(kept.expect("Postgres runs"), []);
    })
    .await;
}

#[tokio::test]
async fn an_overdue_order_without_entry_is_closed() {
    with(1, |env| async move {
        let order = env.unpaid("alice", &[3, 4], 0).await;
        env.overdue(&order).await;
        forget_entry(&env, &order).await;
        let report = env.tick().await;
        assert_eq!(
            (report.claimed, report.sweep.map(|swept| swept.closed)),
            (0, Some(1))
        );
        assert_eq!(env.status(&order).await, Some(Status::Closed));
        assert_eq!(env.free().await, 10);
    })
    .await;
}

#[tokio::test]
async fn rows_without_a_gate_hide_no_others() {
    with(1, |env| async move {
        let absent = env
            .store
            .create_program(hall(1), None)
            .await
            .expect("created");
        let mut stuck = env.request("alice", &[0]);
        stuck.program = absent.id;
        env.create(Some(&stuck), 0, APPENDED_MS).await;
        env.store
            .cancel(stuck.order, &stuck.user)
            .await
            .expect("Postgres runs");
        let order = env.unpaid("bob", &[3, 4], 1).await;
        assert!(order.order > stuck.order);
        env.store
            .cancel(order.order, &order.user)
            .await
            .expect("Postgres runs");
        let swept = tick(&env.closer(&[("SWEEP_LIMIT", "1")]))
            .await
            .expect("the servers run")
            .sweep
            .expect("sweeps");
        assert_eq!((swept.settled, swept.unsettled), (1, 1));
        assert_eq!(env.free().await, 10);
    })
    .await;
}

#[tokio::test]
async fn a_reservation_without_entry_gets_one() {
    with(1, |env| async move {
        let order = env.held("alice", &[3, 4]).await;
        let known = env.held("bob", &[7]).await;
        forget_entry(&env, &order).await;
        let report = env.tick().await;
        assert_eq!(
            report.sweep.map(|swept| (swept.rearmed, swept.mended)),
            Some((1, 0))
        );
        // The seat is not freed before the fence.
        assert_eq!((env.free().await, env.status(&order).await), (7, None));
        assert!(env.due(&order).await);
        env.tick().await;
        assert_eq!(
            (env.free().await, env.status(&order).await),
            (9, Some(Status::Void))
        );
        assert_eq!(env.status(&known).await, None);
    })
    .await;
}

#[tokio::test]
async fn an_unknown_orders_seat_is_fenced_then_freed() {
    with(1, |env| async move {
        let order = env.held("alice", &[3, 4]).await;
        forget_entry(&env, &order).await;
        let _: u64 = env
            .redis(&["DEL", &env.key(&format!("resv:{}", order.order))])
            .await;
        assert_eq!(env.tick().await.sweep.map(|swept| swept.rearmed), Some(1));
        assert!(env.due(&order).await);
        assert_eq!(env.free().await, 8);
        let report = env.tick().await;
        assert_eq!(
            (
                report.outcome.fenced,
                report.sweep.map(|swept| swept.mended)
            ),
            (1, Some(1))
        );
        assert_eq!(
            (env.free().await, env.status(&order).await),
            (10, Some(Status::Void))
        );
        assert_eq!(
            env.tick()
                .await
                .sweep
                .map(|swept| (swept.rearmed, swept.mended)),
            Some((0, 0))
        );
        // Its message arrives later and finds the fence.
        env.create(Some(&order), 0, APPENDED_MS).await;
        assert_eq!(env.status(&order).await, Some(Status::Void));
    })
    .await;
}

#[tokio::test]
async fn seats_of_another_nonce_are_freed() {
    with(1, |env| async move {
        let order = env.held("alice", &[3, 4]).await;
        let stored = shared::message::OrderRequested {
            nonce: shared::message::Nonce::new([9; 16]),
            seats: env.request("bob", &[8, 9]).seats,
            ..order.clone()
        };
        env.create(Some(&stored), 0, APPENDED_MS).await;
        env.settle(&stored).await;
        forget_entry(&env, &order).await;
        let _: u64 = env
            .redis(&["DEL", &env.key(&format!("resv:{}", order.order))])
            .await;
        assert_eq!(env.free().await, 6);
        assert_eq!(env.tick().await.sweep.map(|swept| swept.mended), Some(1));
        assert_eq!(env.free().await, 8);
        assert_eq!(
            env.row(&order).await.map(|row| (row.nonce, row.status)),
            Some((stored.nonce, Status::Unpaid))
        );
    })
    .await;
}

#[tokio::test]
async fn a_stored_order_gets_its_seats_back() {
    with(1, |env| async move {
        let order = env.unpaid("alice", &[3, 4], 0).await;
        // The gate lost the order, and was opened without it.
        let _: u64 = env.redis(&["DEL", &env.program_key("head")]).await;
        env.install().await;
        assert_eq!(env.free().await, 10);
        assert_eq!(env.tick().await.sweep.map(|swept| swept.mended), Some(1));
        assert_eq!(env.free().await, 8);
        assert_eq!(env.status(&order).await, Some(Status::Unpaid));
        assert_eq!(env.tick().await.sweep.map(|swept| swept.mended), Some(0));
    })
    .await;
}

#[tokio::test]
async fn an_older_row_settled_late_undoes_nothing() {
    with(1, |env| async move {
        let order = env.unpaid("alice", &[3, 4], 0).await;
        let unpaid = env.row(&order).await.expect("stored");
        let payment = shared::store::Payment {
            reference: "p".to_owned(),
            order: order.order,
            amount: order.amount_cents,
        };
        env.store.pay(&payment).await.expect("Postgres runs");
        env.settle(&order).await;
        assert!(!env.has_entry(&order).await);
        let report = reconcile(&env.gate, &env.store, &[unpaid])
            .await
            .expect("Postgres runs");
        assert_eq!((report.settled, report.failed), (1, vec![]));
        assert!(!env.has_entry(&order).await, "a paid order has no timeout");
    })
    .await;
}

/// The process that read the row stood still while the order ended and its seats were sold again.
#[tokio::test]
async fn an_older_row_settled_late_takes_no_seat() {
    with(1, |env| async move {
        let order = env.unpaid("alice", &[3, 4], 0).await;
        let unpaid = env.row(&order).await.expect("stored");
        env.store
            .cancel(order.order, &order.user)
            .await
            .expect("Postgres runs");
        env.settle(&order).await;
        env.held("bob", &[3, 4]).await;
        reconcile(&env.gate, &env.store, &[unpaid])
            .await
            .expect("Postgres runs");
        assert_eq!(env.free().await, 8, "bob's seats are his");
    })
    .await;
}

#[tokio::test]
async fn an_ended_order_settled_again_frees_no_later_seat() {
    with(1, |env| async move {
        let order = env.unpaid("alice", &[3, 4], 0).await;
        env.store
            .cancel(order.order, &order.user)
            .await
            .expect("Postgres runs");
        env.settle(&order).await;
        env.held("bob", &[3, 4]).await;
        env.settle(&order).await;
        assert_eq!(env.free().await, 8, "bob's seats are his");
    })
    .await;
}

#[tokio::test]
async fn the_sweep_matches_payment_and_order() {
    with(1, |env| async move {
        let order = env.unpaid("alice", &[3, 4], 0).await;
        let insert = "INSERT INTO payments (reference, order_number, amount_cents, status) \
            VALUES ('p', $1, $2, 'unmatched')";
        let insert = sqlx::query(insert)
            .bind(order.order.get())
            .bind(order.amount_cents.get());
        insert.execute(&env.raw).await.expect("statement");
        assert_eq!(env.tick().await.sweep.map(|swept| swept.matched), Some(1));
        assert_eq!(env.status(&order).await, Some(Status::Paid));
        assert!(!env.has_entry(&order).await);
    })
    .await;
}

async fn forget_entry(env: &TestEnvironment, order: &shared::message::OrderRequested) {
    let id = order.order.to_string();
    assert!(
        env.gate
            .timeouts()
            .cancel(order.order.shard(), &id)
            .await
            .expect("Redis runs")
    );
}
