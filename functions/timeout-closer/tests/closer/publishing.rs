//! Program changes that were committed and not published.

use shared::message::ProgramChanged;
use shared::sale::ProgramStatus;
use shared::store::Switched;

use crate::environment::{TestEnvironment, tick, with};
use crate::outage::nowhere;

/// The entries of the stream, in order.
#[allow(clippy::unused_async, reason = "the tests need no other form")]
async fn published(env: &TestEnvironment) -> Vec<ProgramChanged> {
    let stream = env.names.stream("program-changed");
    let url = testkit::servers::cache_url();
    let entries: Vec<(String, Vec<(String, String)>)> =
        testkit::redis::query(&url, &["XRANGE", &stream, "-", "+"])
            .expect("the cache Redis runs (scripts/servers start cache)");
    let read = |fields: &[(String, String)]| {
        ProgramChanged::read(|name| {
            fields
                .iter()
                .find(|(n, _)| n == name)
                .map(|(_, value)| value.as_str())
        })
    };
    entries
        .iter()
        .map(|(_, fields)| read(fields).expect("a change"))
        .collect()
}

/// Every change is a minute old, and its storefront is gone.
async fn abandoned(env: &TestEnvironment) {
    let update =
        "UPDATE outbox SET created_at = created_at - interval '1 minute' WHERE NOT published";
    sqlx::raw_sql(update)
        .execute(&env.raw)
        .await
        .expect("statement");
}

#[tokio::test]
async fn the_sweep_publishes_an_unpublished_change_once() {
    with(1, |env| async move {
        let stopped = env
            .store
            .switch_sale(env.program.id, ProgramStatus::Stopped)
            .await
            .expect("Postgres runs");
        let Switched::Done(stopped) = stopped else {
            panic!("{stopped:?}")
        };
        assert_eq!(
            env.tick().await.sweep.map(|swept| swept.published),
            Some(0),
            "its storefront may still publish it"
        );
        abandoned(&env).await;
        assert_eq!(
            env.tick()
                .await
                .sweep
                .map(|swept| (swept.published, swept.unpublished)),
            Some((2, 0))
        );
        let expected = [env.program.version, stopped.version].map(|version| ProgramChanged {
            id: env.program.id,
            version,
        });
        assert_eq!(published(&env).await, expected);
        assert_eq!(env.tick().await.sweep.map(|swept| swept.published), Some(0));
    })
    .await;
}

#[tokio::test]
async fn an_unmarked_published_change_is_published_again() {
    with(1, |env| async move {
        abandoned(&env).await;
        env.tick().await;
        sqlx::raw_sql("UPDATE outbox SET published = false")
            .execute(&env.raw)
            .await
            .expect("statement");
        assert_eq!(env.tick().await.sweep.map(|swept| swept.published), Some(1));
        assert_eq!(published(&env).await.len(), 2, "twice, and none lost");
    })
    .await;
}

#[tokio::test]
async fn more_changes_than_one_page_are_all_published() {
    with(1, |env| async move {
        for status in [ProgramStatus::Stopped, ProgramStatus::OnSale].repeat(3) {
            env.store
                .switch_sale(env.program.id, status)
                .await
                .expect("Postgres runs");
        }
        abandoned(&env).await;
        let closer = env.closer(&[("PUBLISH_LIMIT", "2")]);
        let swept = tick(&closer)
            .await
            .expect("the servers run")
            .sweep
            .expect("sweeps");
        assert_eq!((swept.published, swept.unpublished), (7, 0));
        assert_eq!(published(&env).await.len(), 7);
    })
    .await;
}

#[tokio::test]
async fn without_the_stream_only_publishing_fails() {
    with(1, |env| async move {
        let order = env.unpaid("alice", &[3, 4], 0).await;
        env.overdue(&order).await;
        abandoned(&env).await;
        let closer = env.closer(&[(
            "REDIS_CACHE_URL",
            &format!("redis://127.0.0.1:{}", nowhere()),
        )]);
        let error = tick(&closer)
            .await
            .expect_err("the stream is away")
            .to_string();
        assert!(error.contains("not published"), "{error}");
        assert_eq!(env.status(&order).await, Some(shared::sale::Status::Closed));
        assert_eq!(env.free().await, 10);
        assert_eq!(env.tick().await.sweep.map(|swept| swept.published), Some(1));
    })
    .await;
}
