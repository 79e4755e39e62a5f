//! A small finished sale in real Postgres and Redis, in an environment of its own, for a planted
//! fault.

use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result};
use redis::aio::MultiplexedConnection;
use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, raw_sql};
use tempfile::TempDir;

pub(crate) struct SaleFixture {
    env: String,
    database_url: String,
    redis_url: String,
    pool: PgPool,
    redis: MultiplexedConnection,
    logs: TempDir,
}

impl SaleFixture {
    /// The sale of the fixtures, without a fault.
    pub(crate) async fn clean() -> Result<Self> {
        let env = testkit::prefix();
        let database_url = testkit::servers::database_url();
        let redis_url = testkit::servers::redis_url();
        let schema = env.replace('-', "_");
        let pool = testkit::postgres::pool(&schema);
        let redis = redis::Client::open(redis_url.as_str())?
            .get_multiplexed_async_connection()
            .await;
        let redis = redis.context("Redis does not answer: scripts/servers start redis")?;
        let mut sale = Self {
            env,
            database_url,
            redis_url,
            pool,
            redis,
            logs: TempDir::new()?,
        };
        sale.sql(&format!("CREATE SCHEMA {schema}")).await?;
        sale.sql(include_str!("tables.sql")).await?;
        sale.sql(include_str!("sale.sql")).await?;
        sale.fill_gate().await?;
        std::fs::write(
            sale.logs.path().join("buyers.jsonl"),
            include_str!("sale.jsonl"),
        )?;
        Ok(sale)
    }

    async fn fill_gate(&mut self) -> Result<()> {
        let a = format!("101:{}", "a1".repeat(16));
        let b = format!("102:{}", "b2".repeat(16));
        self.redis("HSET", "program:7:head", &["state", "open", "free:0", "4"])
            .await?;
        self.redis("SET", "program:7:seats:0:0", &["11400002"])
            .await?;
        self.redis("SET", "program:7:longest:0", &["D"]).await?;
        self.redis("HSET", "program:7:owner", &["0", &a, "1", &a, "2", &b])
            .await?;
        self.redis("HSET", "program:7:user:ann", &["101", "2"])
            .await?;
        self.redis("HSET", "program:7:user:bob", &["102", "1"])
            .await?;
        self.redis("SET", "resv:101", &["stored 1 0:1:2 "]).await?;
        self.redis("SET", "resv:102", &["stored 1 0:2:3 "]).await
    }

    /// Runs SQL in the environment's schema.
    pub(crate) async fn sql(&self, sql: &str) -> Result<()> {
        raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&self.pool)
            .await
            .with_context(|| sql.to_owned())?;
        Ok(())
    }

    /// Runs one command on a key of the program's shard.
    pub(crate) async fn redis(
        &mut self,
        command: &str,
        key: &str,
        arguments: &[&str],
    ) -> Result<()> {
        let mut cmd = redis::cmd(command);
        cmd.arg(format!("{}:{{s03}}:{key}", self.env))
            .arg(arguments);
        Ok(cmd.query_async(&mut self.redis).await?)
    }

    /// Adds a line to the client log.
    pub(crate) fn log(&self, line: &str) -> Result<()> {
        Ok(std::fs::write(self.logs.path().join("more.jsonl"), line)?)
    }

    /// A file of the client log.
    pub(crate) fn log_file(&self, name: &str) -> std::path::PathBuf {
        self.logs.path().join(name)
    }

    /// Runs the audit of the finished sale on this sale's logs.
    pub(crate) fn audit(&self) -> Result<Output> {
        self.audit_logs(self.logs.path())
    }

    /// Runs the audit on other logs.
    pub(crate) fn audit_logs(&self, logs: &Path) -> Result<Output> {
        let mut audit = self.command(&["--final"]);
        Ok(audit.arg("--logs").arg(logs).output()?)
    }

    /// Runs the audit without logs.
    pub(crate) fn audit_with(&self, arguments: &[&str]) -> Result<Output> {
        Ok(self.command(arguments).output()?)
    }

    /// The audit of this sale.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_on(&self.redis_url, arguments)
    }

    /// The audit of this sale with another Redis.
    pub(crate) fn command_on(&self, redis_url: &str, arguments: &[&str]) -> Command {
        let mut audit = Command::new(env!("CARGO_BIN_EXE_ticket-audit"));
        audit
            .args(["--env", &self.env])
            .args(["--database-url", &self.database_url])
            .args(["--redis-url", redis_url])
            .args(arguments);
        audit
    }

    /// Removes schema and keys.
    pub(crate) async fn remove(self) -> Result<()> {
        self.sql(&format!(
            "DROP SCHEMA {} CASCADE",
            self.env.replace('-', "_")
        ))
        .await?;
        testkit::redis::remove_keys(&self.redis_url, &self.env)?;
        Ok(())
    }
}
