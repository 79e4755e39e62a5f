//! Orders whose row, reservation and timeout entry do not agree.

use crate::environment::with;

#[tokio::test]
async fn an_order_that_waits_is_settled() {
    with(|env| async move {
        let order = env.unpaid("alice", &[3, 4]).await;
        let cancel = env.store.cancel(order.order, &order.user).await;
        cancel.expect("Postgres runs");
        env.mends(&["L4"]).await;
        let owners: Vec<String> = env.redis("HVALS", &env.program_key("owner"), &[]);
        assert!(owners.is_empty(), "{owners:?}");
    })
    .await;
}

#[tokio::test]
async fn an_order_of_an_old_batch_is_settled() {
    with(|env| async move {
        let order = env.unpaid("alice", &[3, 4]).await;
        let number = order.order;
        env.run(&format!(
            "INSERT INTO unsettled (numbers, created_at)
             VALUES ('{{{number}}}', now() - interval '1 hour')"
        ))
        .await;
        env.mends(&["L4"]).await;
    })
    .await;
}

#[tokio::test]
async fn a_reservation_without_an_entry_gets_one() {
    with(|env| async move {
        let order = env.accepted("alice", &[3, 4]).await;
        assert_eq!(env.audit(), [""; 0], "it is in flight");
        env.remove_entry(order.order);
        // Its tickets count for as long as the reservation exists.
        assert_eq!(env.audit(), ["S5", "S7", "L3"]);
        let report = env.report();
        let report = report.to_str().expect("UTF-8");
        let (_, dry) = env.mend(&[report]);
        assert!(dry.contains("it gets a timeout entry"), "{dry}");
        let (code, applied) = env.mend(&[report, "--apply"]);
        assert_eq!(code, Some(0), "{applied}");
        let entries = env.gate.timeouts();
        let number = order.order.to_string();
        let entry = entries.peek(order.order.shard(), &number);
        assert!(entry.await.expect("Redis runs").is_some());
        let row = env.store.order(order.order).await.expect("Postgres runs");
        assert_eq!(row, None, "timeout-closer decides");
        assert_eq!(env.audit(), [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn an_ended_orders_reservation_is_removed() {
    with(|env| async move {
        let order = env.unpaid("alice", &[3, 4]).await;
        let reservation = format!("resv:{}", order.order);
        let text: String = env.redis("GET", &reservation, &[]);
        let cancel = env.store.cancel(order.order, &order.user).await;
        cancel.expect("Postgres runs");
        let number = order.order.to_string();
        let (code, applied) = env.mend(&["--order", &number, "--apply"]);
        assert_eq!(code, Some(0), "{applied}");
        assert!(applied.contains("mended   L4"), "{applied}");
        let _: String = env.redis("SET", &reservation, &[&text]);
        env.mends(&["L3"]).await;
        let left: u64 = env.redis("EXISTS", &reservation, &[]);
        assert_eq!(left, 0);
    })
    .await;
}
