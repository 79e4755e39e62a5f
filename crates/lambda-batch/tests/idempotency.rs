//! What every idempotency store promises, on real servers.

use std::time::Duration;

use futures::future::join_all;
use lambda_batch::{
    Idempotency, IdempotencyError, IdempotencyLease, IdempotencyState, IdempotencyStore,
    PostgresIdempotency, RedisIdempotency,
};
use sqlx::AssertSqlSafe;

const LONG: Duration = Duration::from_secs(600);
/// A lease or keep time that a test waits for.
const SHORT: Duration = Duration::from_millis(60);
const AFTER_SHORT: Duration = Duration::from_millis(120);

fn lease(key: &str, token: u128, payload: u8) -> IdempotencyLease<'_> {
    IdempotencyLease {
        key,
        token,
        payload: [payload; 32],
    }
}

/// The conformance suite.
async fn conforms<S: IdempotencyStore<Error: std::fmt::Debug>>(store: S) {
    one_of_many_callers_leases_a_key(&store).await;
    a_completed_key_returns_its_result(&store).await;
    a_released_key_is_free(&store).await;
    an_ended_lease_is_free_and_its_holder_cannot_overwrite(&store).await;
    an_ended_lease_without_a_rival_can_be_completed(&store).await;
    a_result_ends_after_its_time(&store).await;
    the_helper_runs_an_operation_once(store).await;
}

async fn one_of_many_callers_leases_a_key<S>(store: &S)
where
    S: IdempotencyStore<Error: std::fmt::Debug>,
{
    let begin = |token| async move {
        let lease = lease("many", token, 1);
        store.begin(&lease, LONG).await.expect("the server answers")
    };
    let states = join_all((0..20).map(begin)).await;
    let leased = states
        .iter()
        .filter(|state| **state == IdempotencyState::Leased);
    assert_eq!(leased.count(), 1, "{states:?}");
    let waiting = states
        .iter()
        .filter(|state| **state == IdempotencyState::InProgress);
    assert_eq!(waiting.count(), 19, "{states:?}");
}

async fn a_completed_key_returns_its_result<S>(store: &S)
where
    S: IdempotencyStore<Error: std::fmt::Debug>,
{
    let own = lease("completed", 1, 1);
    assert_eq!(
        store.begin(&own, LONG).await.expect("answers"),
        IdempotencyState::Leased
    );
    let result = b"{\"binary\":\x00\xff}";
    assert!(store.complete(&own, result, LONG).await.expect("answers"));
    assert!(
        !store.complete(&own, b"2", LONG).await.expect("answers"),
        "only once"
    );
    let again = store
        .begin(&lease("completed", 2, 1), LONG)
        .await
        .expect("answers");
    assert_eq!(again, IdempotencyState::Completed(result.to_vec()));
    let other = store
        .begin(&lease("completed", 2, 9), LONG)
        .await
        .expect("answers");
    assert_eq!(other, IdempotencyState::PayloadDiffers);
    store.release(&own).await.expect("answers");
    let kept = store
        .begin(&lease("completed", 3, 1), LONG)
        .await
        .expect("answers");
    assert_eq!(
        kept,
        IdempotencyState::Completed(result.to_vec()),
        "a result is not released"
    );
}

async fn a_released_key_is_free<S>(store: &S)
where
    S: IdempotencyStore<Error: std::fmt::Debug>,
{
    let own = lease("released", 1, 1);
    let rival = lease("released", 2, 1);
    assert_eq!(
        store.begin(&own, LONG).await.expect("answers"),
        IdempotencyState::Leased
    );
    store.release(&rival).await.expect("answers");
    assert_eq!(
        store.begin(&rival, LONG).await.expect("answers"),
        IdempotencyState::InProgress
    );
    store.release(&own).await.expect("answers");
    assert_eq!(
        store.begin(&rival, LONG).await.expect("answers"),
        IdempotencyState::Leased
    );
}

async fn an_ended_lease_is_free_and_its_holder_cannot_overwrite<S>(store: &S)
where
    S: IdempotencyStore<Error: std::fmt::Debug>,
{
    let slow = lease("slow", 1, 1);
    let fast = lease("slow", 2, 1);
    assert_eq!(
        store.begin(&slow, SHORT).await.expect("answers"),
        IdempotencyState::Leased
    );
    tokio::time::sleep(AFTER_SHORT).await;
    assert_eq!(
        store.begin(&fast, LONG).await.expect("answers"),
        IdempotencyState::Leased
    );
    assert!(!store.complete(&slow, b"1", LONG).await.expect("answers"));
    store.release(&slow).await.expect("answers");
    assert!(store.complete(&fast, b"2", LONG).await.expect("answers"));
}

async fn an_ended_lease_without_a_rival_can_be_completed<S>(store: &S)
where
    S: IdempotencyStore<Error: std::fmt::Debug>,
{
    let own = lease("late", 1, 1);
    assert_eq!(
        store.begin(&own, SHORT).await.expect("answers"),
        IdempotencyState::Leased
    );
    tokio::time::sleep(AFTER_SHORT).await;
    assert!(store.complete(&own, b"1", LONG).await.expect("answers"));
    let again = store
        .begin(&lease("late", 2, 1), LONG)
        .await
        .expect("answers");
    assert_eq!(again, IdempotencyState::Completed(b"1".to_vec()));
}

async fn a_result_ends_after_its_time<S>(store: &S)
where
    S: IdempotencyStore<Error: std::fmt::Debug>,
{
    let own = lease("kept", 1, 1);
    assert_eq!(
        store.begin(&own, LONG).await.expect("answers"),
        IdempotencyState::Leased
    );
    assert!(store.complete(&own, b"1", SHORT).await.expect("answers"));
    tokio::time::sleep(AFTER_SHORT).await;
    let other = store
        .begin(&lease("kept", 2, 9), LONG)
        .await
        .expect("answers");
    assert_eq!(
        other,
        IdempotencyState::Leased,
        "another payload is as good as the first"
    );
}

async fn the_helper_runs_an_operation_once<S>(store: S)
where
    S: IdempotencyStore<Error: std::fmt::Debug>,
{
    let idempotency = Idempotency::new(store, rand::random);
    let runs = std::sync::atomic::AtomicU32::new(0);
    let call = || {
        idempotency.run("run", b"payload", async || {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok::<_, String>(runs.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
        })
    };
    let results = join_all((0..8).map(|_| call())).await;
    let refused = results
        .iter()
        .filter(|result| matches!(result, Err(IdempotencyError::InProgress)));
    assert_eq!(refused.count(), 7, "{results:?}");
    assert_eq!(call().await.ok(), Some(0));
    assert_eq!(runs.into_inner(), 1);
}

#[tokio::test]
async fn redis_conforms() {
    let url = std::env::var("REDIS_URL").unwrap_or_else(|_| "redis://127.0.0.1:16379".to_owned());
    let client = redis::Client::open(url).expect("a Redis URL");
    let connection = client
        .get_multiplexed_async_connection()
        .await
        .expect("Redis is needed: `scripts/servers start redis`, or set REDIS_URL");
    let prefix = format!("t-{:08x}:idempotency:", rand::random::<u32>());
    conforms(RedisIdempotency::new(connection.clone(), prefix.clone())).await;
    let mut connection = connection;
    for key in [
        "many",
        "completed",
        "released",
        "slow",
        "late",
        "kept",
        "run",
    ] {
        let _: i64 = redis::cmd("DEL")
            .arg(format!("{prefix}{key}"))
            .query_async(&mut connection)
            .await
            .expect("Redis answers");
    }
}

#[tokio::test]
async fn postgres_conforms() {
    let url = std::env::var("DATABASE_URL")
        .unwrap_or_else(|_| "postgres://usher:usher@127.0.0.1:15432/usher".to_owned());
    let schema = format!("t_{:08x}_idempotency", rand::random::<u32>());
    let options: sqlx::postgres::PgConnectOptions = url.parse().expect("a database URL");
    let options = options.options([("search_path", schema.as_str())]);
    let pool = sqlx::postgres::PgPoolOptions::new()
        .max_connections(4)
        .connect_with(options)
        .await
        .expect("PostgreSQL is needed: `scripts/servers start postgres`, or set DATABASE_URL");
    let run = async |statement: String| {
        let done = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&pool).await;
        done.expect("Postgres runs it");
    };
    run(format!("CREATE SCHEMA {schema}")).await;
    let store = PostgresIdempotency::new(pool.clone());
    store.create_table().await.expect("the table is created");
    store
        .create_table()
        .await
        .expect("creating it again changes nothing");
    conforms(store.clone()).await;
    tokio::time::sleep(AFTER_SHORT).await;
    let expired = lease("expired", 1, 1);
    store
        .begin(&expired, Duration::ZERO)
        .await
        .expect("answers");
    tokio::time::sleep(AFTER_SHORT).await;
    assert_eq!(store.delete_expired(100).await.expect("answers"), 1);
    run(format!("DROP SCHEMA {schema} CASCADE")).await;
}
