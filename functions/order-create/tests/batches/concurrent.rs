//! Batches that one process handles at the same time, as on Lambda Managed Instances.

use std::time::{Duration, Instant};

use shared::gate::ReservationState;
use shared::message::OrderRequested;
use shared::sale::Status;

use crate::environment::{TestEnvironment, event, event_at, event_of, message, with};

/// Reserves `count` orders of one seat each, from this seat on.
async fn reserved(env: &TestEnvironment, first: u32, count: u32) -> Vec<OrderRequested> {
    let mut orders = Vec::new();
    for seat in first..first + count {
        let order = env.order(&format!("buyer-{seat}"), &[seat]);
        env.reserve(&order).await;
        orders.push(order);
    }
    orders
}

fn values(orders: &[OrderRequested]) -> Vec<Option<Vec<u8>>> {
    orders.iter().map(|order| Some(message(order))).collect()
}

/// Checks that these orders of one seat each are all that was stored. `next`: the next offset of each
/// partition.
async fn check_stored(env: &TestEnvironment, orders: &[OrderRequested], next: &[i64]) {
    for order in orders {
        assert_eq!(env.status(order).await, Some(Status::Unpaid));
        assert_eq!(env.state(order).await, Some(ReservationState::Stored));
    }
    let counts = env.store.counts().await.expect("postgres");
    assert_eq!((counts.parked, counts.dirty), (0, 0));
    assert_eq!(env.free().await, 2_000 - orders.len() as u32);
    let progress = env.store.progress("t-order-create").await;
    let progress = progress.expect("postgres");
    let found: Vec<i64> = progress.iter().map(|at| at.next_offset).collect();
    assert_eq!(found, next);
}

/// Waits until a statement in this schema waits for a lock. `testkit::until` is not `Send`.
async fn until_a_lock_is_awaited(schema: &str) {
    let waiting = "SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
                   WHERE c.relnamespace = current_schema()::regnamespace AND EXISTS (
                       SELECT FROM pg_locks w WHERE w.pid = l.pid AND NOT w.granted)";
    let pool = testkit::postgres::pool(schema);
    let deadline = Instant::now() + testkit::wait::DEADLINE;
    loop {
        let query = sqlx::query_scalar(waiting).fetch_one(&pool);
        let count: i64 = query.await.expect("postgres");
        if count > 0 {
            return;
        }
        assert!(Instant::now() < deadline, "no statement waits for a lock");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_blocked_batch_delays_no_other_of_its_process() {
    with("", |env| async move {
        let unreadable = Some(b"not JSON".to_vec());
        assert!(
            env.handle(std::slice::from_ref(&unreadable))
                .await
                .is_empty()
        );
        let blocked = reserved(&env, 1, 3).await;
        let free = reserved(&env, 11, 3).await;

        // Holds the row that the batch of partition 0 updates last.
        let pool = testkit::postgres::pool(&env.schema);
        let mut held = pool.begin().await.expect("postgres");
        sqlx::raw_sql("SELECT * FROM progress FOR UPDATE")
            .execute(&mut *held)
            .await
            .expect("postgres");

        let mut waiting = vec![unreadable];
        waiting.extend(values(&blocked));
        let first = event_of(0, &waiting);
        let second = event_of(1, &values(&free));
        let mut blocked_response = std::pin::pin!(env.creator.handle(&first));
        let meanwhile = async {
            until_a_lock_is_awaited(&env.schema).await;
            assert!(env.creator.handle(&second).await.is_empty());
            for order in &free {
                assert_eq!(env.status(order).await, Some(Status::Unpaid));
                assert_eq!(env.state(order).await, Some(ReservationState::Stored));
            }
            for order in &blocked {
                assert_eq!(env.status(order).await, None, "its transaction is open");
            }
            held.rollback().await.expect("postgres");
        };
        tokio::select! {
            biased;
            _ = &mut blocked_response => panic!("the first batch ended before its lock was free"),
            () = meanwhile => {}
        }
        assert!(blocked_response.await.is_empty());
        for order in &blocked {
            assert_eq!(env.status(order).await, Some(Status::Unpaid));
        }
        let counts = env.store.counts().await.expect("postgres");
        assert_eq!((counts.parked, counts.dirty), (1, 0));
    })
    .await;
}

/// An invocation that has timed out continues while the host delivers its batch again.
#[tokio::test]
async fn a_batch_handled_twice_at_the_same_time_is_stored_once() {
    with("", |env| async move {
        let orders = reserved(&env, 1, 20).await;
        let batch = event(&values(&orders));
        let (first, second) = tokio::join!(env.creator.handle(&batch), env.creator.handle(&batch));
        assert!(
            first.is_empty() && second.is_empty(),
            "{first:?} {second:?}"
        );
        check_stored(&env, &orders, &[20]).await;
    })
    .await;
}

/// A message that is published again may be appended to another partition than its first copy.
#[tokio::test]
async fn copies_in_two_partitions_are_stored_once() {
    with("", |env| async move {
        // In the second partition the copies are in the opposite order, so that batches which
        // wait for each other's rows would deadlock.
        let mut all = Vec::new();
        for (round, accepted) in [true, false, true, false].into_iter().enumerate() {
            let (seat, offset) = (30 * round as u32, 20 * round as u64);
            let orders = reserved(&env, 1 + seat, 30).await;
            if accepted {
                for order in &orders {
                    env.accept(order, 600_000).await;
                }
            }
            let first = event_at(0, offset, &values(&orders[..20]));
            let mut copies = values(&orders[10..]);
            copies.reverse();
            let second = event_at(1, offset, &copies);
            let (first, second) =
                tokio::join!(env.creator.handle(&first), env.creator.handle(&second));
            assert!(
                first.is_empty() && second.is_empty(),
                "{first:?} {second:?}"
            );
            all.extend(orders);
        }
        check_stored(&env, &all, &[80, 80]).await;
    })
    .await;
}
