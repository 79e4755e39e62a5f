//! Waits until every accepted order is final and no data are left over.

use std::time::Duration;

use anyhow::{Result, ensure};
use ticket_rush::rush::{Rush, poll_until_final};
use tokio::time::{Instant, sleep};

use super::environment::DemoEnvironment;
use crate::output::Bar;

/// Polls the orders that are not final yet. Returns the number of all accepted orders.
pub(crate) async fn all_final(rush: &Rush, within: Duration) -> Result<usize> {
    let all = rush.tally.counts().accepted.len();
    let bar = Bar::new("orders in a final state", all as u64);
    let open = poll_until_final(rush, within, |done, _| bar.set(done as u64)).await;
    bar.drawn.finish_and_clear();
    let first = open.first().map_or("", String::as_str);
    ensure!(
        open.is_empty(),
        "{} orders are not final after {} s, the first is {first}",
        open.len(),
        within.as_secs(),
    );
    Ok(all)
}

/// Repeats the audit until it passes or the time is up. The result does not matter: the caller runs
/// a last audit once the host has stopped.
pub(crate) async fn no_leftovers(env: &DemoEnvironment, within: Duration) -> Result<()> {
    let deadline = Instant::now() + within;
    while Instant::now() < deadline {
        let mut audit = env.audit().await?;
        if audit.arg("--json").output().await?.status.success() {
            break;
        }
        sleep(Duration::from_millis(500)).await;
    }
    Ok(())
}
