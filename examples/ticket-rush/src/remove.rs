//! Removal of an environment from the servers: schema, keys, topics.

use anyhow::{Context, Result, ensure};
use redis::aio::MultiplexedConnection;
use sqlx::{AssertSqlSafe, Connection, PgConnection, raw_sql};

use crate::locations::Servers;
use crate::locks::EnvironmentLock;
use crate::prepare::{calls_topic, orders_topic};
use crate::topics;

/// Removes everything that [`prepare`](crate::prepare::prepare) and a run created. Idempotent.
/// Fails, and removes nothing, if another process holds the environment.
pub async fn remove(servers: &Servers, prefix: &str) -> Result<()> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    ensure!(
        !prefix.is_empty() && prefix.chars().all(allowed),
        "{prefix:?} is not a valid environment prefix"
    );
    let owned = EnvironmentLock::claim(servers, prefix).await?;
    ensure!(
        owned.is_some(),
        "environment {prefix} is in use by another process; nothing of it was removed"
    );
    let mut db = PgConnection::connect(&servers.database_url)
        .await
        .context("PostgreSQL does not answer")?;
    let schema = prefix.replace('-', "_");
    raw_sql(AssertSqlSafe(format!(
        "DROP SCHEMA IF EXISTS {schema} CASCADE"
    )))
    .execute(&mut db)
    .await?;
    keys(servers, prefix)
        .await
        .context("Redis does not answer")?;
    topics::remove(&servers.brokers, &orders_topic(prefix)).await?;
    topics::remove(&servers.brokers, &calls_topic(prefix)).await
}

/// Removes an environment's keys from both Redis servers.
pub async fn keys(servers: &Servers, prefix: &str) -> Result<()> {
    keys_at(&servers.redis_url, prefix).await?;
    keys_at(&servers.cache_url, prefix).await
}

async fn keys_at(url: &str, prefix: &str) -> Result<()> {
    let mut redis = redis::Client::open(url)?
        .get_multiplexed_async_connection()
        .await?;
    let mut cursor = 0;
    loop {
        let (next, found) = page(&mut redis, cursor, prefix).await?;
        if !found.is_empty() {
            let _: () = redis::cmd("UNLINK")
                .arg(found)
                .query_async(&mut redis)
                .await?;
        }
        if next == 0 {
            return Ok(());
        }
        cursor = next;
    }
}

async fn page(
    redis: &mut MultiplexedConnection,
    cursor: u64,
    prefix: &str,
) -> Result<(u64, Vec<String>)> {
    let mut scan = redis::cmd("SCAN");
    scan.arg(cursor)
        .arg("MATCH")
        .arg(format!("{prefix}:*"))
        .arg("COUNT")
        .arg(2000);
    Ok(scan.query_async(redis).await?)
}
