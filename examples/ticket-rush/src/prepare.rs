//! Setup of an environment: keys, topics, tables. Idempotent.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::timeout;

use crate::host::Environment;
use crate::keys::Keys;
use crate::topics;

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
    for topic in [
        orders_topic(&environment.prefix),
        calls_topic(&environment.prefix),
    ] {
        let created =
            topics::ensure(&environment.servers.brokers, &topic, topics::PARTITIONS).await?;
        report(&format!(
            "topic {topic}: {} partitions{}",
            topics::PARTITIONS,
            if created { "" } else { " (existed)" }
        ));
    }
    let event = environment.checkout.file("events/migrate/empty.json");
    let invoked = timeout(MIGRATION, environment.invoke_alone("Migrate", &event)).await;
    let output = invoked.context("the migration did not finish within two minutes")??;
    if !output.status.success() {
        let out = String::from_utf8_lossy(&output.stdout);
        let err = String::from_utf8_lossy(&output.stderr);
        bail!("usher invoke Migrate failed:\n{err}{out}");
    }
    report(&format!("tables of {} in PostgreSQL", environment.prefix));
    Ok(keys)
}
