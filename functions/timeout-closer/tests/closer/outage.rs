//! Unavailable servers: the tick reports them and loses nothing.

use std::time::{Duration, Instant};

use lambda_batch::Tick;
use shared::sale::Status;

use crate::environment::{tick, with};

/// A port on which no process listens.
pub(crate) fn nowhere() -> u16 {
    testkit::net::free_address().port()
}

#[tokio::test]
async fn without_redis_overdue_orders_are_still_closed() {
    with(1, |env| async move {
        let order = env.unpaid("alice", &[3, 4], 0).await;
        env.overdue(&order).await;
        let closer = env.closer(&[(
            "REDIS_GATE_URL",
            &format!("redis://127.0.0.1:{}", nowhere()),
        )]);
        let error = tick(&closer).await.expect_err("Redis is away").to_string();
        assert!(error.contains("Redis is unavailable"), "{error}");
        assert_eq!(env.status(&order).await, Some(Status::Closed));
        assert_eq!(env.free().await, 8, "the gate is not settled");
        env.tick().await;
        assert_eq!(env.free().await, 10);
        assert!(!env.has_entry(&order).await);
    })
    .await;
}

#[tokio::test]
async fn without_postgres_entries_are_claimed_again() {
    with(1, |env| async move {
        let order = env.held("alice", &[3, 4]).await;
        env.due(&order).await;
        let url = format!("postgres://usher:usher@127.0.0.1:{}/usher", nowhere());
        let closer = env.closer(&[("DATABASE_URL", &url), ("LEASE_MS", "1000")]);
        let error = tick(&closer)
            .await
            .expect_err("Postgres is away")
            .to_string();
        assert!(
            !error.is_empty() && !error.contains("usher:usher"),
            "{error}"
        );
        assert!(env.has_entry(&order).await);
        assert_eq!(env.free().await, 8);
        // The lease of the failed tick expires.
        let deadline = Instant::now() + Duration::from_secs(20);
        while env.tick().await.claimed == 0 {
            assert!(Instant::now() < deadline, "the entry is not claimed again");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(env.status(&order).await, Some(Status::Void));
        assert_eq!(env.free().await, 10);
    })
    .await;
}

#[tokio::test]
async fn a_row_that_cannot_close_blocks_no_other() {
    with(1, |env| async move {
        let bad = env.unpaid("alice", &[1], 0).await;
        let good = env.unpaid("bob", &[2], 1).await;
        env.run(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                   IF NEW.user_id = 'alice' AND NEW.status = 'closed' THEN RAISE EXCEPTION 'no'
                   USING ERRCODE = '22023'; END IF;
                   RETURN NEW; END $$;
                 CREATE TRIGGER refuse BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION
                 refuse()",
        )
        .await;
        env.overdue(&bad).await;
        env.overdue(&good).await;
        // The sweep fails at the same row and reports it.
        let error = tick(&env.closer(&[]))
            .await
            .expect_err("the sweep fails")
            .to_string();
        assert!(error.contains("no"), "{error}");
        assert_eq!(env.status(&good).await, Some(Status::Closed));
        assert_eq!(env.free().await, 9);
        assert!(env.has_entry(&bad).await);
    })
    .await;
}

#[tokio::test]
async fn a_locked_row_holds_no_other_order_up() {
    with(1, |env| async move {
        let locked = env.unpaid("alice", &[1], 0).await;
        let free = env.unpaid("bob", &[2], 1).await;
        env.overdue(&locked).await;
        env.overdue(&free).await;
        let mut other = env.raw.begin().await.expect("Postgres runs");
        let lock =
            sqlx::query("SELECT FROM orders WHERE number = $1 FOR UPDATE").bind(locked.order.get());
        lock.execute(&mut *other).await.expect("statement");
        let report = env.tick().await;
        assert_eq!(
            (
                report.outcome.closed,
                report.outcome.put_off,
                report.outcome.failed
            ),
            (1, 1, 0)
        );
        assert_eq!(
            (env.status(&locked).await, env.status(&free).await),
            (Some(Status::Unpaid), Some(Status::Closed))
        );
        other.rollback().await.expect("ends");
        env.wait_over(&locked).await;
        assert_eq!(env.tick().await.outcome.closed, 1);
        assert_eq!(env.free().await, 10);
    })
    .await;
}

#[tokio::test]
async fn without_time_or_tick_nothing_starts() {
    with(1, |env| async move {
        let order = env.held("alice", &[3, 4]).await;
        env.due(&order).await;
        let closer = env.closer(&[]);
        let report = closer
            .tick(
                &Tick {
                    at_ms: Some(1),
                    id: None,
                },
                Duration::ZERO,
            )
            .await
            .expect("no error");
        assert_eq!((report.claimed, report.unfinished), (0, true));
        let error = closer
            .tick(&Tick::default(), Duration::from_secs(60))
            .await
            .expect_err("no tick")
            .to_string();
        assert!(error.contains("no tick"), "{error}");
        assert_eq!(env.free().await, 8);
    })
    .await;
}
