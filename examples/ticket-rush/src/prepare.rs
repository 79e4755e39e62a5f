//! An environment made ready: keys, topics, tables. Safe to repeat.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::timeout;

use crate::host::Environment;
use crate::keys::Keys;
use crate::topics;

/// How long the tables may take.
const MIGRATION: Duration = Duration::from_mins(2);

/// The topic of orders in an environment.
pub fn orders_topic(prefix: &str) -> String {
    format!("{prefix}-order-create")
}

/// The topic of API calls in an environment.
pub fn calls_topic(prefix: &str) -> String {
    format!("{prefix}-api-call")
}

/// Makes what is missing and returns the keys; `tell` hears of each step.
pub async fn prepare(environment: &Environment, tell: impl Fn(&str)) -> Result<Keys> {
    let keys = Keys::at(&environment.keys)?;
    tell(&format!("key set in {}", environment.keys.display()));
    for topic in [
        orders_topic(&environment.prefix),
        calls_topic(&environment.prefix),
    ] {
        let made = topics::ensure(&environment.servers.brokers, &topic, topics::PARTITIONS).await?;
        tell(&format!(
            "topic {topic}: {} partitions{}",
            topics::PARTITIONS,
            if made { "" } else { " (it was there)" }
        ));
    }
    let event = environment.place.file("events/migrate/empty.json");
    let invoked = timeout(MIGRATION, environment.invoke_alone("Migrate", &event)).await;
    let output = invoked.context("the tables were not made within two minutes")??;
    if !output.status.success() {
        let out = String::from_utf8_lossy(&output.stdout);
        let err = String::from_utf8_lossy(&output.stderr);
        bail!("usher invoke Migrate failed:\n{err}{out}");
    }
    tell(&format!("tables of {} in PostgreSQL", environment.prefix));
    Ok(keys)
}
