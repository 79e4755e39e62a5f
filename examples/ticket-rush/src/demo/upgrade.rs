//! A rolling upgrade during the sale, and the way back (docs/how-to/upgrade.md): both versions run beside each other on
//! the same topics, tables and keys, and a load balancer moves the buyers.

use std::mem;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use ticket_rush::api::ApiClient;
use ticket_rush::host::{Environment, Host, free_address};
use ticket_rush::locations::Checkout;
use ticket_rush::prepare::migrate;
use tokio::time::sleep;

use crate::output;

/// How long each stage lasts: either version alone, or both.
const STAGE: Duration = Duration::from_secs(5);

/// The environment of a sale that begins on the version whose checkout, with its programs under `target/local`, is
/// `from`.
pub(crate) fn earlier(environment: &Environment, from: &Path) -> Result<Environment> {
    let root = from
        .canonicalize()
        .with_context(|| format!("there is no checkout at {}", from.display()))?;
    let programs = root.join("target/local");
    let checkout = Checkout { root, programs };
    checkout.program("usher")?;
    Ok(Environment {
        checkout,
        ..environment.clone()
    })
}

/// Moves the sale from the version of `earlier`, which `host` runs, to the version of `current`, and back. `host` is
/// a host of the earlier version again afterwards.
pub(crate) async fn there_and_back(
    earlier: &Environment,
    current: &Environment,
    api: &ApiClient,
    host: &mut Host,
) -> Result<()> {
    let current = beside(current)?;
    sleep(STAGE).await;
    migrate(&current).await?;
    output::done("the tables are those of the new version; the earlier one still serves");
    sleep(STAGE).await;
    replace(host, earlier, &current, api, "the new version").await?;
    sleep(STAGE).await;
    replace(host, &current, earlier, api, "the earlier version").await
}

/// The same environment on ports and in a folder of its own.
fn beside(environment: &Environment) -> Result<Environment> {
    Ok(Environment {
        http: free_address(([127, 0, 0, 1], 0).into())?,
        control: free_address(([127, 0, 0, 1], 0).into())?,
        state: environment.state.with_extension("new"),
        log: environment.log.with_extension("new.log"),
        ..environment.clone()
    })
}

/// Starts the host of `to` beside that of `from`, serves buyers on both, then on `to` alone.
async fn replace(
    host: &mut Host,
    from: &Environment,
    to: &Environment,
    api: &ApiClient,
    name: &str,
) -> Result<()> {
    let started = to
        .up()
        .await
        .with_context(|| format!("{name} at {}", to.http))?;
    api.serve_at(&[from.http, to.http]);
    output::done(&format!("{name} serves half of the requests"));
    sleep(STAGE).await;
    api.serve_at(&[to.http]);
    mem::replace(host, started).stop().await?;
    output::done(&format!("{name} serves alone; the other one has drained"));
    Ok(())
}
