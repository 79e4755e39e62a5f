//! Postgres becomes silent, or the address leads to a server that takes no writes, while
//! connections are open.

use std::time::{Duration, Instant};

use lambda_batch::ErrorClass;
use shared::store::Store;
use sqlx::{Postgres, Transaction};
use testkit::relay::Relay;

use crate::environment::{Environment, MIN_PAY_MS, arrival, look, order, with};

const PATIENCE: Duration = Duration::from_secs(60);

/// As [`Environment::behind_relay`]; the environment's own store is disconnected.
async fn behind_relay(env: &Environment, connections: u32) -> (Relay, Store) {
    env.store.disconnect().await;
    env.behind_relay(connections).await
}

impl Environment {
    /// Blocks all reads and writes of orders until it is dropped.
    async fn orders_locked(&self) -> Transaction<'static, Postgres> {
        let mut lock = self.raw.begin().await.expect("postgres");
        sqlx::query("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE")
            .execute(&mut *lock)
            .await
            .expect("locked");
        lock
    }

    /// Waits until this many sessions of the environment meet the condition.
    async fn until_sessions(&self, count: i64, condition: &str) {
        let sql = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND {condition}"
        );
        let deadline = Instant::now() + PATIENCE;
        loop {
            let query =
                sqlx::query_scalar(sqlx::AssertSqlSafe(sql.clone())).bind(self.names.prefix());
            let found: i64 = query.fetch_one(&self.raw).await.expect("a number");
            if found == count {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{found} sessions, not {count}: {condition}"
            );
        }
    }

    async fn sessions(&self) -> Vec<i32> {
        let query = sqlx::query_scalar(
            "SELECT pid FROM pg_stat_activity WHERE application_name = $1 ORDER BY pid",
        );
        query
            .bind(self.names.prefix())
            .fetch_all(&self.raw)
            .await
            .expect("pids")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_ends_when_postgres_falls_silent() {
    with(|env| async move {
        let (relay, store) = behind_relay(&env, 1).await;
        let store = store.answering_within(Duration::from_secs(8));
        let lock = env.orders_locked().await;
        let busy = tokio::spawn({
            let store = store.clone();
            async move { look(&store).await }
        });
        env.until_sessions(1, "wait_event_type = 'Lock'").await;
        relay.silence().await;
        lock.rollback().await.expect("postgres");
        let error = busy
            .await
            .expect("no panic")
            .expect_err("its answer is lost");
        assert_eq!(
            (error.class, error.sqlstate),
            (ErrorClass::Unavailable, None),
            "{}",
            error.message
        );
        look(&store).await.expect("on another connection");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_transaction_returns_its_slot() {
    with(|env| async move {
        let (relay, store) = behind_relay(&env, 1).await;
        let store = store.answering_within(Duration::from_secs(8));
        let lock = env.orders_locked().await;
        let one = order("alice", 7, &[1]);
        let busy = tokio::spawn({
            let store = store.clone();
            let one = one.clone();
            async move {
                store
                    .store_orders(&[arrival(0, 0, &one)], MIN_PAY_MS)
                    .await
                    .unfinished
                    .map(|rest| rest.error.class)
            }
        });
        env.until_sessions(1, "wait_event_type = 'Lock'").await;
        relay.silence().await;
        lock.rollback().await.expect("postgres");
        assert_eq!(busy.await.expect("no panic"), Some(ErrorClass::Unavailable));
        // Its locks end with its session, which Postgres itself ends; then the delivery that
        // follows meets no trace of it.
        let deadline = Instant::now() + PATIENCE;
        while let Some(rest) = store
            .store_orders(&[arrival(0, 0, &one)], MIN_PAY_MS)
            .await
            .unfinished
        {
            assert!(Instant::now() < deadline, "{}", rest.error);
        }
        assert_eq!(env.number("SELECT count(*) FROM orders").await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abandoned_silent_connection_gives_its_place_back() {
    with(|env| async move {
        let (relay, store) = behind_relay(&env, 1).await;
        let lock = env.orders_locked().await;
        let busy = tokio::spawn({
            let store = store.clone();
            async move { look(&store).await }
        });
        env.until_sessions(1, "wait_event_type = 'Lock'").await;
        relay.silence().await;
        busy.abort();
        assert!(busy.await.is_err_and(|end| end.is_cancelled()));
        lock.rollback().await.expect("postgres");
        let deadline = Instant::now() + PATIENCE;
        while let Err(error) = look(&store).await {
            assert!(Instant::now() < deadline, "{error}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn idle_connections_that_fell_silent_cost_no_error() {
    with(|env| async move {
        let (relay, store) = behind_relay(&env, 4).await;
        let lock = env.orders_locked().await;
        let busy: Vec<_> = (0..4)
            .map(|_| {
                let store = store.clone();
                tokio::spawn(async move { look(&store).await })
            })
            .collect();
        env.until_sessions(4, "wait_event_type = 'Lock'").await;
        lock.rollback().await.expect("postgres");
        for look in busy {
            look.await.expect("no panic").expect("answers");
        }
        env.until_sessions(
            4,
            "state = 'idle' AND clock_timestamp() - state_change > interval '1.2 s'",
        )
        .await;
        relay.silence().await;
        for _ in 0..4 {
            look(&store).await.expect("on a new connection");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_takes_no_writes_is_replaced() {
    with(|env| async move {
        let (_relay, store) = behind_relay(&env, 1).await;
        for state in ["25006", "57P01", "08006"] {
            let refuse = format!(
                "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '{state}'; END $$;
                 CREATE TRIGGER refuse BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION
                 refuse()"
            );
            sqlx::raw_sql(sqlx::AssertSqlSafe(refuse))
                .execute(&env.raw)
                .await
                .expect("statement");
            look(&store).await.expect("answers");
            let before = env.sessions().await;
            let one = order("alice", 7, &[1]);
            let arrivals = [arrival(0, 0, &one)];
            let stored = store.store_orders(&arrivals, MIN_PAY_MS).await;
            let error = stored.unfinished.expect("refused").error;
            assert_eq!(
                (error.class, error.sqlstate.as_deref()),
                (ErrorClass::Unavailable, Some(state))
            );
            env.run("DROP TRIGGER refuse ON orders").await;
            look(&store).await.expect("on another connection");
            env.until_sessions(1, "true").await;
            assert_ne!(env.sessions().await, before, "{state}");
        }
    })
    .await;
}
