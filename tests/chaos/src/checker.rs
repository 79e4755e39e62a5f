//! Runs the audit, a program of its own that uses no code of the system, and reads its result.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use sqlx::{Connection, PgConnection, Row};
use ticket_rush::host::Environment;
use tokio::time::{Instant, sleep};

const PAUSE: Duration = Duration::from_secs(2);

/// The checks of one audit.
#[derive(Debug, Clone, Deserialize)]
pub struct Audit {
    /// Whether every check passes.
    pub ok: bool,
    /// The checks.
    pub checks: Vec<Check>,
}

/// One check, of one promise.
#[derive(Debug, Clone, Deserialize)]
pub struct Check {
    /// Subject.
    pub about: String,
    /// The promise.
    pub check: String,
    /// Number of compared items.
    pub looked_at: u64,
    /// One text for each violation.
    #[serde(rename = "discrepancies", deserialize_with = "texts")]
    pub violations: Vec<String>,
}

/// What was found, of each discrepancy.
fn texts<'de, D: serde::Deserializer<'de>>(discrepancies: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    struct Discrepancy {
        found: String,
    }
    let all = Vec::<Discrepancy>::deserialize(discrepancies)?;
    Ok(all.into_iter().map(|one| one.found).collect())
}

/// What the audit is to accept.
#[derive(Debug, Clone, Copy)]
pub struct Expected {
    /// Number of records that were no orders.
    pub parked: usize,
    /// Whether the gate lost data that it had acknowledged.
    pub gate_lost_data: bool,
}

/// Audits the environment, whose addresses are those of the servers themselves.
pub async fn audit(environment: &Environment, logs: &Path, expected: Expected) -> Result<Audit> {
    let mut audit = environment.audit(logs).await?;
    audit
        .args(["--final", "--json", "--parked"])
        .arg(expected.parked.to_string());
    if expected.gate_lost_data {
        audit.arg("--allow-rejected");
    }
    let output = audit.kill_on_drop(true).output().await?;
    match output.status.code() {
        Some(0 | 1) => serde_json::from_slice(&output.stdout).context("the audit's result"),
        _ => bail!("the audit: {}", String::from_utf8_lossy(&output.stderr)),
    }
}

/// Repeats the audit until it passes or the time is up. Returns the last result.
pub async fn until_passed(
    environment: &Environment,
    logs: &Path,
    expected: Expected,
    within: Duration,
) -> Result<Audit> {
    let until = Instant::now() + within;
    loop {
        let result = audit(environment, logs, expected).await?;
        if result.ok || Instant::now() > until {
            return Ok(result);
        }
        sleep(PAUSE).await;
    }
}

/// Number of orders by their states, as the database has them.
pub async fn orders_by_state(database_url: &str) -> Result<Vec<(String, i64)>> {
    let mut database = PgConnection::connect(database_url).await?;
    let by_state =
        "SELECT status::text, count(*) FROM chaos.orders GROUP BY status ORDER BY 2 DESC";
    let rows = sqlx::query(by_state).fetch_all(&mut database).await?;
    let state = |row: &sqlx::postgres::PgRow| Ok((row.try_get(0)?, row.try_get(1)?));
    rows.iter().map(state).collect()
}
