//! Records that are not orders, and orders that Postgres refuses.

use shared::sale::Status;

use crate::environment::{MIN_PAY_MS, TOPIC, arrival, order, unreadable, with};

#[tokio::test]
async fn unreadable_records_are_parked_with_their_reason() {
    with(|env| async move {
        let good = order("alice", 7, &[1]);
        let noise = vec![0xff; 900_000];
        let arrivals = [
            unreadable(0, Some(&noise), "not UTF-8 at byte 0"),
            unreadable(1, Some(b"{\"user\":\"a\0b\"}"), "text with NUL"),
            unreadable(2, None, "no value"),
            arrival(0, 3, &good),
        ];
        let stored = env.store.store_orders(&arrivals, MIN_PAY_MS).await;
        assert_eq!(stored.unfinished, None);
        assert_eq!(stored.parked.len(), 3);
        assert_eq!(env.status(good.order).await, Status::Unpaid);
        assert_eq!(
            env.number("SELECT octet_length(value)::bigint FROM parked WHERE log_offset = 0")
                .await,
            900_000
        );
        assert_eq!(
            env.number(
                "SELECT count(*) FROM parked WHERE log_offset = 1 \
                 AND position('\\x00'::bytea IN value) > 0"
            )
            .await,
            1
        );
        assert_eq!(
            env.number("SELECT count(*) FROM parked WHERE log_offset = 2 AND value IS NULL")
                .await,
            1
        );
        assert_eq!(
            env.store.progress(TOPIC).await.expect("postgres")[0].next_offset,
            4
        );
        // A redelivery parks nothing twice.
        env.store.store_orders(&arrivals, MIN_PAY_MS).await;
        assert_eq!(env.number("SELECT count(*) FROM parked").await, 3);
    })
    .await;
}

#[tokio::test]
async fn the_order_that_postgres_refuses_is_parked() {
    with(|env| async move {
        let orders: Vec<_> = (0..200)
            .map(|seat| {
                let mut order = order("alice", 7, &[seat]);
                if [0, 77, 78, 199].contains(&seat) {
                    // The timestamp is out of range for Postgres.
                    order.pay_by_ms = i64::MAX;
                }
                order
            })
            .collect();
        let arrivals: Vec<_> = orders
            .iter()
            .enumerate()
            .map(|(at, order)| arrival(0, at as i64, order))
            .collect();
        let stored = env.store.store_orders(&arrivals, MIN_PAY_MS).await;
        assert_eq!(stored.unfinished, None);
        assert_eq!(
            stored.parked.iter().map(|(at, _)| *at).collect::<Vec<_>>(),
            [0, 77, 78, 199]
        );
        assert!(
            stored.parked[0].1.as_str().contains("22008"),
            "{}",
            stored.parked[0].1
        );
        assert_eq!(stored.orders.len(), 196);
        assert_eq!(env.number("SELECT count(*) FROM orders").await, 196);
        assert_eq!(
            env.number("SELECT count(*) FROM parked WHERE value = 'value' AND key = 'key'")
                .await,
            4
        );
        assert_eq!(
            env.store.progress(TOPIC).await.expect("postgres")[0].next_offset,
            200
        );
        env.check_invariants().await;
    })
    .await;
}
