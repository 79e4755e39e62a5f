//! Postgres unavailable, locked or slow.

use std::time::{Duration, Instant};

use lambda_batch::{ErrorClass, NextStep};
use shared::message::UserId;
use shared::naming::Names;
use shared::store::Store;

use crate::environment::{MIN_PAY_MS, TOPIC, arrival, order, with};

#[tokio::test]
async fn an_unreachable_server_leaves_the_whole_batch_unfinished() {
    // A port on which no process listens.
    let port = testkit::net::free_address().port();
    let url = format!("postgres://usher:usher@127.0.0.1:{port}/usher");
    let store = Store::connect(&url, &Names::new("nowhere").expect("prefix"), 2).expect("lazy");
    let began = Instant::now();
    let one = order("alice", 7, &[1]);
    let arrivals = [arrival(0, 0, &one)];
    let stored = store.store_orders(&arrivals, MIN_PAY_MS).await;
    let rest = stored.unfinished.expect("unfinished");
    assert_eq!((rest.error.class, rest.from), (ErrorClass::Unavailable, 0));
    assert!(stored.orders.is_empty() && stored.parked.is_empty());
    assert!(
        began.elapsed() < Duration::from_secs(30),
        "the wait is bounded"
    );
}

#[tokio::test]
async fn a_lost_idle_connection_is_replaced_without_error() {
    with(|env| async move {
        let alice = UserId::new("alice").expect("user");
        env.store
            .orders_of(&alice, None, 1)
            .await
            .expect("postgres");
        sqlx::query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1",
        )
        .bind(env.names.prefix())
        .execute(&env.raw)
        .await
        .expect("statement");
        // At worst the first use fails. All later ones succeed.
        let first = env.store.orders_of(&alice, None, 1).await;
        if let Err(error) = first {
            assert_eq!(error.class, ErrorClass::Unavailable, "{error}");
        }
        let one = order("alice", 7, &[1]);
        let mut rows = env.create_when_back(&one).await;
        assert_eq!(rows.pop().map(|row| row.number), Some(one.order));
    })
    .await;
}

#[tokio::test]
async fn a_long_lock_is_contention_without_alarm() {
    with(|env| async move {
        let first = order("alice", 7, &[1]);
        let second = order("bob", 7, &[2]);
        env.create(std::slice::from_ref(&first)).await;
        let mut other = env.raw.begin().await.expect("postgres");
        sqlx::query("SELECT FROM progress FOR UPDATE")
            .execute(&mut *other)
            .await
            .expect("statement");
        let arrivals = [arrival(0, 1, &second)];
        let stored = env.store.store_orders(&arrivals, MIN_PAY_MS).await;
        let error = stored
            .unfinished
            .clone()
            .expect("another transaction holds the lock")
            .error;
        assert_eq!(
            (error.sqlstate.as_deref(), error.class),
            (Some("55P03"), ErrorClass::Busy),
            "{error}"
        );
        assert_eq!(
            error.class.next_step(),
            NextStep::RetryLater { alarm: false }
        );
        assert_eq!(stored.result().contended(1), 1);
        other.rollback().await.expect("ends");
        let stored = env.store.store_orders(&arrivals, MIN_PAY_MS).await;
        assert_eq!((stored.unfinished, stored.orders.len()), (None, 1));
    })
    .await;
}

impl crate::environment::Environment {
    /// Delivers an order until it is stored, as Kafka does.
    async fn create_when_back(
        &self,
        order: &shared::message::OrderRequested,
    ) -> Vec<shared::store::OrderRow> {
        let arrivals = [arrival(0, 0, order)];
        for _ in 0..20 {
            let stored = self.store.store_orders(&arrivals, MIN_PAY_MS).await;
            if stored.unfinished.is_none() {
                let rows = stored.orders.iter().map(|order| order.row().into_owned());
                return rows.collect();
            }
        }
        panic!("Postgres did not come back")
    }
}

#[tokio::test]
async fn committed_records_stay_when_the_rest_fails() {
    with(|env| async move {
        // The first record makes the store bisect the batch. Then the table of seats is locked.
        let mut poison = order("alice", 7, &[0]);
        poison.pay_by_ms = i64::MAX;
        let good = order("bob", 7, &[1]);
        let doomed = order("carol", 7, &[2]);
        env.run(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN IF NEW.user_id = 'carol' THEN RAISE EXCEPTION 'away' USING ERRCODE =
             '57P03'; END IF; RETURN NEW; END $$",
        )
        .await;
        env.run(
            "CREATE TRIGGER refuse BEFORE INSERT ON orders \
             FOR EACH ROW EXECUTE FUNCTION refuse()",
        )
        .await;
        let arrivals = [
            arrival(0, 0, &poison),
            arrival(0, 1, &good),
            arrival(0, 2, &doomed),
            arrival(0, 3, &good),
        ];
        // Records are stored one by one here, so that their order decides.
        let first = env.store.store_orders(&arrivals[..2], MIN_PAY_MS).await;
        assert_eq!((first.unfinished, first.parked.len()), (None, 1));
        let rest = env.store.store_orders(&arrivals, MIN_PAY_MS).await;
        let unfinished = rest.unfinished.expect("carol's order cannot be stored now");
        assert_eq!(unfinished.error.class, ErrorClass::Unavailable);
        assert!(unfinished.from <= 2, "{}", unfinished.from);
        assert_eq!(
            env.store.progress(TOPIC).await.expect("postgres")[0].next_offset,
            2,
            "never past an unfinished record"
        );
        env.run("DROP TRIGGER refuse ON orders").await;
        let again = env.store.store_orders(&arrivals, MIN_PAY_MS).await;
        assert_eq!(again.unfinished, None);
        assert_eq!(env.number("SELECT count(*) FROM orders").await, 2);
        assert_eq!(env.number("SELECT count(*) FROM parked").await, 1);
        assert_eq!(
            env.store.progress(TOPIC).await.expect("postgres")[0].next_offset,
            4
        );
    })
    .await;
}
