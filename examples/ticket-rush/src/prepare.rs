//! Setup of an environment: keys, topics, tables. Idempotent.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::timeout;

use crate::host::Environment;
use crate::keys::Keys;
use crate::topics::{PARTITIONS, ensure};

/// Timeout of the migration.
const MIGRATION: Duration = Duration::from_mins(2);

/// Name of an environment's topic of orders.
pub fn orders_topic(prefix: &str) -> String {
    format!("{prefix}-order-create")
}

/// Name of an environment's topic of API calls.
pub fn calls_topic(prefix: &str) -> String {
    format!("{prefix}-api-call")
}

/// Creates what is missing and returns the keys. `report` receives a line for each step.
pub async fn prepare(environment: &Environment, report: impl Fn(&str)) -> Result<Keys> {
    let keys = Keys::at(&environment.keys)?;
    report(&format!("key set in {}", environment.keys.display()));
    let prefix = &environment.prefix;
    for topic in [orders_topic(prefix), calls_topic(prefix)] {
        let created = ensure(&environment.servers, &topic, PARTITIONS).await?;
        let existed = if created { "" } else { " (existed)" };
        report(&format!("topic {topic}: {PARTITIONS} partitions{existed}"));
    }
    migrate(environment).await?;
    report(&format!("tables of {prefix} in PostgreSQL"));
    Ok(keys)
}

/// Brings the tables to the version of the environment's checkout.
pub async fn migrate(environment: &Environment) -> Result<()> {
    let event = environment.checkout.root.join("events/migrate/empty.json");
    let migrate = environment.invoke("Migrate", &event, &["--alone"]);
    let output = timeout(MIGRATION, migrate).await;
    let output = output.context("the migration did not finish within two minutes")??;
    if !output.status.success() {
        let out = String::from_utf8_lossy(&output.stdout);
        let err = String::from_utf8_lossy(&output.stderr);
        bail!("usher invoke Migrate failed:\n{err}{out}");
    }
    Ok(())
}
