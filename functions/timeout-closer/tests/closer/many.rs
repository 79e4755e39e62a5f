//! Many timeouts that are due at once.

use futures::future::join_all;
use shared::message::OrderRequested;
use shared::store::Arrival;

use crate::environment::{APPENDED_MS, TestEnvironment, tick, with};

/// Number of timeouts of the trial; 100,000 by `make timeouts`.
const TIMEOUTS: &str = "TIMEOUTS";
/// Requests to the gate in flight.
const CONCURRENCY: usize = 32;
/// Orders of a batch of order-create.
const BATCH: usize = 1000;

/// Overdue orders of one seat each, whose entries are all due.
pub(crate) async fn many_overdue(env: &TestEnvironment, n: u32) {
    let mut orders: Vec<OrderRequested> = Vec::new();
    for first in (0..n).step_by(CONCURRENCY) {
        let last = n.min(first + CONCURRENCY as u32);
        let accepted = (first..last).map(|seat| async move {
            let buyer = format!("buyer-{seat}");
            env.accepted(&buyer, &[seat], i64::from(seat)).await
        });
        orders.extend(join_all(accepted).await);
    }
    for (n, batch) in orders.chunks(BATCH).enumerate() {
        store(env, batch, n * BATCH).await;
    }
    env.run("UPDATE orders SET pay_by = now() - interval '1 second'")
        .await;
    for some in orders.chunks(CONCURRENCY) {
        let due = join_all(some.iter().map(|order| env.due(order))).await;
        assert!(due.into_iter().all(|is_due| is_due), "each has an entry");
    }
}

/// Stores a batch as order-create does, but does not settle the gate.
async fn store(env: &TestEnvironment, batch: &[OrderRequested], first: usize) {
    let topic = env.names.topic("order-create");
    let arrivals: Vec<Arrival<'_>> = (first..)
        .zip(batch)
        .map(|(offset, order)| Arrival {
            topic: &topic,
            partition: 0,
            offset: offset as i64,
            appended_ms: Some(APPENDED_MS),
            key: None,
            value: Some(b"a record"),
            message: Ok(order.clone()),
        })
        .collect();
    let stored = env.store.store_orders(&arrivals, 60_000).await;
    assert_eq!(stored.unfinished, None);
}

#[tokio::test]
async fn timeouts_due_at_once_are_all_closed() {
    let count = std::env::var(TIMEOUTS).map_or(3000, |count| count.parse().expect("a number"));
    with(count / 10, move |env| async move {
        many_overdue(&env, count).await;
        let closers = [env.closer(&[]), env.closer(&[])];
        let began = std::time::Instant::now();
        loop {
            let [one, two] = &closers;
            let (one, two) = tokio::join!(tick(one), tick(two));
            let reports = [one.expect("the servers run"), two.expect("the servers run")];
            for report in &reports {
                assert_eq!(report.outcome.failed, 0, "{report:?}");
            }
            if reports.iter().all(|report| report.claimed == 0) {
                break;
            }
        }
        println!("{count} timeouts in {:?}", began.elapsed());
        let closed = "SELECT count(*) FROM orders WHERE status = 'closed' AND NOT dirty";
        let closed: i64 = sqlx::query_scalar(closed)
            .fetch_one(&env.raw)
            .await
            .expect("PostgreSQL runs");
        assert_eq!((closed, env.free().await), (i64::from(count), count));
        let due: u64 = env.redis(&["ZCARD", &env.queue_key("due")]).await;
        assert_eq!(due, 0, "no entry is left");
        let seats: i64 = sqlx::query_scalar("SELECT count(*) FROM order_seats")
            .fetch_one(&env.raw)
            .await
            .expect("PostgreSQL runs");
        assert_eq!(seats, 0);
    })
    .await;
}
