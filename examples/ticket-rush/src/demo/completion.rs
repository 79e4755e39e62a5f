//! Waits until every accepted order is final and no data are left over.

use std::time::Duration;

use anyhow::{Result, bail};
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::buyer::Rush;
use crate::output::Bar;

/// Polls the orders that are not final yet.
pub(crate) async fn all_final(rush: &Rush, within: Duration) -> Result<()> {
    let deadline = Instant::now() + within;
    let bar = Bar::new("orders in a final state", rush.tally.orders().len() as u64);
    loop {
        let orders = rush.tally.orders();
        let open: Vec<_> = orders
            .iter()
            .filter(|(_, o)| !o.is_final())
            .map(|(n, o)| (n.clone(), o.buyer.clone()))
            .collect();
        bar.set((orders.len() - open.len()) as u64);
        if open.is_empty() {
            bar.finish();
            return Ok(());
        }
        if Instant::now() > deadline {
            bail!(
                "{} orders are not final after {} s, the first is {}",
                open.len(),
                within.as_secs(),
                open[0].0
            );
        }
        let mut reads = JoinSet::new();
        for (number, buyer) in open {
            let rush = rush.clone();
            reads.spawn(async move {
                let _permit = rush.permits.acquire().await;
                let answer = rush.api.get_order(&buyer, &number).await;
                if let Some(status) = answer.text("status") {
                    rush.tally.seen(&number, status);
                }
            });
        }
        while reads.join_next().await.is_some() {}
        sleep(Duration::from_millis(500)).await;
    }
}

/// Repeats the audit until it passes or the time is up. The result does not matter: the caller runs
/// a last audit once the host has stopped.
pub(crate) async fn no_leftovers(
    mut audit: impl FnMut() -> Command,
    within: Duration,
) -> Result<()> {
    let deadline = Instant::now() + within;
    while Instant::now() < deadline {
        if audit().arg("--json").output().await?.status.success() {
            break;
        }
        sleep(Duration::from_millis(500)).await;
    }
    Ok(())
}
