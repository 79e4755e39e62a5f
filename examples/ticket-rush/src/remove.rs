//! Removal of an environment from the servers: schema, keys, topics.

use anyhow::{Context, Result, bail, ensure};
use redis::{AsyncCommands, Client};
use sqlx::{AssertSqlSafe, raw_sql};

use crate::locations::Servers;
use crate::locks::EnvironmentLock;
use crate::prepare::{calls_topic, orders_topic};
use crate::topics;

/// Removes everything that [`prepare`](crate::prepare::prepare) and a run created. Idempotent.
/// Fails, and removes nothing, if another process holds the environment.
pub async fn remove(servers: &Servers, prefix: &str) -> Result<()> {
    let allowed = |c| matches!(c, 'a'..='z' | '0'..='9' | '-');
    ensure!(
        !prefix.is_empty() && prefix.chars().all(allowed),
        "{prefix:?} is not a valid environment prefix"
    );
    let Some(mut owned) = EnvironmentLock::claim(servers, prefix).await? else {
        bail!("environment {prefix} is in use by another process; nothing of it was removed");
    };
    let schema = prefix.replace('-', "_");
    let drop = AssertSqlSafe(format!("DROP SCHEMA IF EXISTS {schema} CASCADE"));
    raw_sql(drop).execute(&mut owned.0).await?;
    let removed = keys(servers, prefix).await;
    removed.context("Redis does not answer")?;
    topics::remove(servers, &orders_topic(prefix)).await?;
    topics::remove(servers, &calls_topic(prefix)).await
}

/// Removes an environment's keys from both Redis servers.
pub async fn keys(servers: &Servers, prefix: &str) -> Result<()> {
    keys_at(servers.gate().await?, prefix).await?;
    keys_at(servers.cache()?, prefix).await
}

async fn keys_at(client: Client, prefix: &str) -> Result<()> {
    let mut redis = client.get_multiplexed_async_connection().await?;
    let pattern = format!("{prefix}:*");
    let mut cursor = 0;
    loop {
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor).arg(&["MATCH", &pattern, "COUNT", "2000"]);
        let (next, found): (u64, Vec<String>) = scan.query_async(&mut redis).await?;
        if !found.is_empty() {
            let _: usize = redis.unlink(found).await?;
        }
        if next == 0 {
            return Ok(());
        }
        cursor = next;
    }
}
