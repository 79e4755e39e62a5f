//! Dirty and overdue orders, as the sweep reads them.

use shared::sale::Status;

use crate::environment::{MIN_PAY_MS, arrival, order, with};
use crate::paying::{insert_unmatched, payment};

#[tokio::test]
async fn the_sweep_adopts_only_old_batches() {
    with(|env| async move {
        let orders = [order("alice", 7, &[1]), order("bob", 7, &[2])];
        let arrivals = [arrival(0, 0, &orders[0]), arrival(0, 1, &orders[1])];
        let stored = env.store.store_orders(&arrivals, MIN_PAY_MS).await;
        assert_eq!(stored.unsettled.len(), 1);
        assert_eq!(
            env.store.dirty(None, 10).await.expect("postgres"),
            [],
            "order-create still settles them"
        );
        env.run("UPDATE unsettled SET created_at = now() - interval '1 minute'")
            .await;
        let dirty = env.store.dirty(None, 10).await.expect("postgres");
        assert_eq!(dirty.len(), 2);
        let settled: Vec<_> = dirty.iter().map(|row| (row.number, row.version)).collect();
        assert_eq!(env.store.clear_dirty(&settled).await.expect("postgres"), 2);
        assert_eq!(env.store.dirty(None, 10).await.expect("postgres"), []);
        assert_eq!(env.store.counts().await.expect("postgres").dirty, 0);
    })
    .await;
}

#[tokio::test]
async fn only_failed_orders_of_a_batch_become_dirty() {
    with(|env| async move {
        let orders = [order("alice", 7, &[1]), order("bob", 7, &[2])];
        let arrivals = [arrival(0, 0, &orders[0]), arrival(0, 1, &orders[1])];
        let stored = env.store.store_orders(&arrivals, MIN_PAY_MS).await;
        env.store
            .clear_batch(stored.unsettled[0], &[orders[1].order])
            .await
            .expect("postgres");
        let dirty: Vec<_> = env
            .store
            .dirty(None, 10)
            .await
            .expect("postgres")
            .iter()
            .map(|row| row.number)
            .collect();
        assert_eq!(dirty, [orders[1].order]);
        assert_eq!(env.number("SELECT count(*) FROM unsettled").await, 0);
    })
    .await;
}

#[tokio::test]
async fn an_order_changed_since_its_settle_stays_dirty() {
    with(|env| async move {
        let one = order("alice", 7, &[1]);
        env.create(std::slice::from_ref(&one)).await;
        env.store.pay(&payment("a", &one)).await.expect("postgres");
        assert_eq!(
            env.store
                .clear_dirty(&[(one.order, 1)])
                .await
                .expect("postgres"),
            0
        );
        let dirty = env.store.dirty(None, 10).await.expect("postgres");
        assert_eq!(
            dirty
                .iter()
                .map(|row| (row.number, row.version))
                .collect::<Vec<_>>(),
            [(one.order, 2)]
        );
        assert_eq!(
            env.store
                .clear_dirty(&[(one.order, 2)])
                .await
                .expect("postgres"),
            1
        );
    })
    .await;
}

#[tokio::test]
async fn the_sweep_closes_overdue_orders_without_payments() {
    with(|env| async move {
        let [overdue, early, waiting, paid] = [1, 2, 3, 4].map(|seat| order("alice", 7, &[seat]));
        env.create(&[
            overdue.clone(),
            early.clone(),
            waiting.clone(),
            paid.clone(),
        ])
        .await;
        env.store.pay(&payment("a", &paid)).await.expect("postgres");
        insert_unmatched(&env, "w", &waiting).await;
        for late in [&overdue, &waiting, &paid] {
            env.make_overdue(late.order).await;
        }
        let closed = env.store.sweep_overdue(10).await.expect("postgres");
        assert_eq!(
            closed
                .iter()
                .map(|row| (row.number, row.status))
                .collect::<Vec<_>>(),
            [(overdue.order, Status::Closed)]
        );
        assert_eq!(env.store.sweep_overdue(10).await.expect("postgres"), []);
        assert_eq!(env.number("SELECT count(*) FROM order_seats").await, 3);
    })
    .await;
}

#[tokio::test]
async fn the_sweep_skips_locked_orders() {
    with(|env| async move {
        let [busy, free] = [1, 2].map(|seat| order("alice", 7, &[seat]));
        env.create(&[busy.clone(), free.clone()]).await;
        env.make_overdue(busy.order).await;
        env.make_overdue(free.order).await;
        let mut other = env.raw.begin().await.expect("transaction");
        sqlx::query("SELECT FROM orders WHERE number = $1 FOR UPDATE")
            .bind(busy.order.get())
            .execute(&mut *other)
            .await
            .expect("statement");
        let closed = env.store.sweep_overdue(10).await.expect("postgres");
        assert_eq!(
            closed.iter().map(|row| row.number).collect::<Vec<_>>(),
            [free.order]
        );
        other.rollback().await.expect("rollback");
    })
    .await;
}
