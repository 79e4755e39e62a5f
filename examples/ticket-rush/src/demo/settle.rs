//! Waiting for the end: every accepted order final, then nothing left over.

use std::time::Duration;

use anyhow::{Result, bail};
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::buyer::Rush;
use crate::say::Bar;

/// Looks at every order that is not known to be final until all are.
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
        let mut looks = JoinSet::new();
        for (number, buyer) in open {
            let rush = rush.clone();
            looks.spawn(async move {
                let _place = rush.line.acquire().await;
                let answer = rush.shop.look(&buyer, &number).await;
                if let Some(status) = answer.text("status") {
                    rush.tally.seen(&number, status);
                }
            });
        }
        while looks.join_next().await.is_some() {}
        sleep(Duration::from_millis(500)).await;
    }
}

/// Asks the audit until it finds nothing, or time is up; the caller judges by a last audit once everything has stopped.
pub(crate) async fn nothing_left(
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
