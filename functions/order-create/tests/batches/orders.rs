//! What a batch of records stores, settles and parks.

use order_create::{Creator, Settings};
use serde_json::json;
use shared::access::Access;
use shared::config::Reader;
use shared::gate::ReservationState;
use shared::message::{BodyHash, IdempotencyKey};
use shared::sale::Status;
use shared::store::Payment;

use crate::environment::{event, event_at, message, with};

#[tokio::test]
async fn an_order_paid_before_it_is_settled_has_no_timeout() {
    with("", |env| async move {
        let order = env.order("alice", &[3, 4]);
        env.reserve(&order).await;
        let accepted = env.order("bob", &[5, 6]);
        env.reserve(&accepted).await;
        env.accept(&accepted, 900_000).await;
        // The payment and its settling come between the commit of order-create and its settling.
        let pay = "CREATE FUNCTION pay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                     UPDATE orders SET status = 'paid', version = version + 1, dirty = false WHERE number = NEW.number;
                     RETURN NULL; END $$;
                   CREATE CONSTRAINT TRIGGER pay AFTER INSERT ON orders DEFERRABLE INITIALLY DEFERRED
                     FOR EACH ROW EXECUTE FUNCTION pay()";
        env.run(pay).await;
        let values = [&order, &accepted].map(|order| Some(message(order)));
        assert!(env.handle(&values).await.is_empty());
        assert_eq!(env.free().await, 1_996);
        for order in [&order, &accepted] {
            assert_eq!(env.status(order).await, Some(Status::Paid));
            assert_eq!(env.due_in_ms(order).await, None, "a paid order has no timeout");
        }
    })
    .await;
}

#[tokio::test]
async fn a_stored_order_is_settled_and_clean() {
    with("", |env| async move {
        let order = env.order("alice", &[3, 4]);
        env.reserve(&order).await;
        assert!(env.handle(&[Some(message(&order))]).await.is_empty());
        assert_eq!(env.status(&order).await, Some(Status::Unpaid));
        assert_eq!(env.state(&order).await, Some(ReservationState::Stored));
        assert_eq!(env.store.counts().await.expect("postgres").dirty, 0);
        // A redelivery changes nothing.
        assert!(env.handle(&[Some(message(&order))]).await.is_empty());
        assert_eq!(env.state(&order).await, Some(ReservationState::Stored));
        assert_eq!(env.free().await, 2_000 - 2);
    })
    .await;
}

#[tokio::test]
async fn accepted_orders_are_settled_beside_others() {
    with("", |env| async move {
        let mut orders = Vec::new();
        for n in 0..12_u32 {
            let mut order = env.order(&format!("user{n}"), &[2 * n, 2 * n + 1]);
            if n % 4 == 0 {
                // Promised longer ago than the order may be paid.
                order.pay_by_ms = 1;
            }
            // Every third order is unknown to the gate. The others are accepted with a due time of
            // their own, which confirming leaves and settling replaces.
            if n % 3 != 0 {
                env.reserve(&order).await;
                env.accept(&order, 600_000).await;
            }
            orders.push(order);
        }
        let values: Vec<_> = orders.iter().map(|order| Some(message(order))).collect();
        assert!(env.handle(&values).await.is_empty());
        for (n, order) in orders.iter().enumerate() {
            assert_eq!(env.status(order).await, Some(Status::Unpaid));
            let known = n % 3 != 0;
            let stored = known.then_some(ReservationState::Stored);
            assert_eq!(env.state(order).await, stored, "order {n}");
            // The minimum pay window, what accepting wrote, or the promised time.
            let due_in_ms = env.due_in_ms(order).await.expect("a timeout");
            let expected = match (n % 4 == 0, known) {
                (true, _) => 30_000..=60_001,
                (false, true) => 300_000..=600_001,
                (false, false) => 1_000_000_000..=i64::MAX,
            };
            assert!(expected.contains(&due_in_ms), "order {n}: {due_in_ms}");
        }
        assert_eq!(env.free().await, 2_000 - 24);
        assert_eq!(env.store.counts().await.expect("postgres").dirty, 0);
    })
    .await;
}

#[tokio::test]
async fn unreadable_records_are_parked_alone() {
    with("", |env| async move {
        let order = env.order("alice", &[1]);
        env.reserve(&order).await;
        let nul = String::from_utf8(message(&order))
            .expect("text")
            .replace("alice", "al\\u0000ce")
            .into_bytes();
        let wrong_types = br#"{"v":1,"order":7,"seats":"all"}"#.to_vec();
        let values = [
            Some(b"not JSON".to_vec()),
            Some(wrong_types),
            Some(vec![0xff; 900_000]),
            Some(nul),
            None,
            Some(message(&order)),
        ];
        assert!(
            env.handle(&values).await.is_empty(),
            "nothing is to come again"
        );
        assert_eq!(env.store.counts().await.expect("postgres").parked, 5);
        assert_eq!(env.status(&order).await, Some(Status::Unpaid));
        assert_eq!(env.state(&order).await, Some(ReservationState::Stored));
    })
    .await;
}

#[tokio::test]
async fn a_barrier_is_passed_and_never_parked() {
    with("", |env| async move {
        let order = env.order("alice", &[1]);
        env.reserve(&order).await;
        let barrier = format!(r#"{{"v":1,"barrier":"{}"}}"#, "ab".repeat(16)).into_bytes();
        let newer = format!(r#"{{"v":2,"barrier":"{}"}}"#, "ab".repeat(16)).into_bytes();
        assert!(
            env.handle(&[
                Some(barrier.clone()),
                Some(message(&order)),
                Some(newer),
                Some(barrier)
            ])
            .await
            .is_empty()
        );
        assert_eq!(env.status(&order).await, Some(Status::Unpaid));
        assert_eq!(
            env.store.counts().await.expect("postgres").parked,
            1,
            "the one of a version that is not known"
        );
        assert_eq!(
            env.store
                .progress("t-order-create")
                .await
                .expect("postgres")[0]
                .next_offset,
            4
        );
    })
    .await;
}

#[tokio::test]
async fn a_rejected_order_leaves_the_gate() {
    with("", |env| async move {
        // The gate has lost its state since the holder bought, so it sells the seat a second time.
        let holder = env.order("alice", &[5]);
        let mut late = env.order("bob", &[5, 6]);
        late.idempotency_key = Some(IdempotencyKey::new("k").expect("key"));
        late.idempotency_hash = Some(BodyHash::new([0; 32]));
        env.reserve(&late).await;
        assert!(env.handle(&[Some(message(&holder))]).await.is_empty());
        assert!(env.handle(&[Some(message(&late))]).await.is_empty());
        assert_eq!(env.status(&late).await, Some(Status::Rejected));
        assert_eq!(env.state(&late).await, None);
        assert_eq!(
            env.free().await,
            2_000 - 1,
            "the holder has its seat, the late one none"
        );
        let mut again = env.order("bob", &[7]);
        again.idempotency_key = late.idempotency_key.clone();
        again.idempotency_hash = late.idempotency_hash;
        env.reserve(&again).await;
    })
    .await;
}

#[tokio::test]
async fn an_early_payment_is_applied() {
    with("", |env| async move {
        let order = env.order("alice", &[1]);
        env.reserve(&order).await;
        let payment = Payment {
            reference: "p".into(),
            order: order.order,
            amount: order.amount_cents,
        };
        env.store.pay(&payment).await.expect("postgres");
        assert!(env.handle(&[Some(message(&order))]).await.is_empty());
        assert_eq!(env.status(&order).await, Some(Status::Paid));
        assert_eq!(env.state(&order).await, Some(ReservationState::Stored));
        let waiting = env
            .gate
            .timeouts()
            .stats(env.program.shard)
            .await
            .expect("redis")
            .waiting;
        assert_eq!(waiting, 0);
        assert_eq!(env.store.counts().await.expect("postgres").dirty, 0);
    })
    .await;
}

#[tokio::test]
async fn a_batch_behind_the_progress_is_settled_by_its_newest_rows() {
    with("", |env| async move {
        let first = env.order("alice", &[1]);
        let [quiet, early, racing] =
            [("bob", 2), ("carol", 3), ("racer", 4)].map(|(user, seat)| env.order(user, &[seat]));
        for order in [&first, &quiet, &early, &racing] {
            env.reserve(order).await;
        }
        assert!(env.handle(&[Some(message(&first))]).await.is_empty());
        let payment = Payment {
            reference: "p".into(),
            order: early.order,
            amount: early.amount_cents,
        };
        env.store.pay(&payment).await.expect("postgres");
        // Paid and settled between the commit of order-create and its settling.
        let pay = "CREATE FUNCTION pay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                     UPDATE orders SET status = 'paid', version = version + 1, dirty = false WHERE number = NEW.number;
                     RETURN NULL; END $$;
                   CREATE CONSTRAINT TRIGGER pay AFTER INSERT ON orders DEFERRABLE INITIALLY DEFERRED
                     FOR EACH ROW WHEN (NEW.user_id = 'racer') EXECUTE FUNCTION pay()";
        env.run(pay).await;
        let values = [&quiet, &early, &racing].map(|order| Some(message(order)));
        let response = env.creator.handle(&event_at(0, 1, &values)).await;
        assert!(response.is_empty());
        for (order, status) in [
            (&quiet, Status::Unpaid),
            (&early, Status::Paid),
            (&racing, Status::Paid),
        ] {
            assert_eq!(env.status(order).await, Some(status));
            assert_eq!(env.state(order).await, Some(ReservationState::Stored));
        }
        let timeouts = env.gate.timeouts();
        let stats = timeouts.stats(env.program.shard).await.expect("redis");
        assert_eq!(stats.waiting, 2, "paid orders have no timeout");
        assert_eq!(env.store.counts().await.expect("postgres").dirty, 0);
    })
    .await;
}

#[tokio::test]
async fn without_redis_orders_are_stored_and_stay_dirty() {
    // A port that was just free: no server listens there.
    let port = testkit::net::free_address().port();
    with(&format!("redis://127.0.0.1:{port}"), |env| async move {
        let orders = [env.order("alice", &[1]), env.order("bob", &[2])];
        let values: Vec<_> = orders.iter().map(|order| Some(message(order))).collect();
        assert!(env.handle(&values).await.is_empty(), "stored is done");
        assert_eq!(env.status(&orders[1]).await, Some(Status::Unpaid));
        assert_eq!(env.store.counts().await.expect("postgres").dirty, 2);
    })
    .await;
}

#[tokio::test]
async fn without_a_database_every_record_is_delivered_again() {
    let port = testkit::net::free_address().port();
    let unreachable = format!("postgres://usher:usher@127.0.0.1:{port}/usher");
    let redis = testkit::servers::redis_url();
    let reader = Reader::new([
        ("ENV_PREFIX", "nowhere"),
        ("DATABASE_URL", unreachable.as_str()),
        ("REDIS_GATE_URL", redis.as_str()),
    ]);
    let creator = Creator::open(
        Settings::read(&reader).expect("settings"),
        &Access::default(),
    )
    .expect("lazy");
    let response = creator
        .handle(&event(&[Some(b"noise".to_vec()), None]))
        .await;
    let expected = json!({"batchItemFailures": [{"itemIdentifier": {"partition": "t-order-create-0", "offset": 0}}]});
    assert_eq!(serde_json::to_value(&response).expect("JSON"), expected);
}

#[tokio::test]
async fn a_batch_of_a_thousand_orders_is_settled() {
    with("", |env| async move {
        let orders: Vec<_> = (0..1_000)
            .map(|n| env.order(&format!("user-{n}"), &[2 * n, 2 * n + 1]))
            .collect();
        let values: Vec<_> = orders.iter().map(|order| Some(message(order))).collect();
        assert!(env.handle(&values).await.is_empty());
        assert_eq!(env.free().await, 0);
        assert_eq!(env.store.counts().await.expect("postgres").dirty, 0);
    })
    .await;
}
