//! Waits until every accepted order is final and no data are left over.

use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::buyer::Rush;
use super::environment::DemoEnvironment;
use crate::output::Bar;

/// Polls the orders that are not final yet. Returns the number of all accepted orders.
pub(crate) async fn all_final(rush: &Rush, within: Duration) -> Result<usize> {
    let deadline = Instant::now() + within;
    let mut orders = rush.tally.counts().accepted;
    let all = orders.len();
    let bar = Bar::new("orders in a final state", all as u64);
    loop {
        orders.retain(|_, order| !order.is_final());
        bar.set((all - orders.len()) as u64);
        let Some((first, _)) = orders.first_key_value() else {
            bar.drawn.finish_and_clear();
            return Ok(all);
        };
        ensure!(
            Instant::now() <= deadline,
            "{} orders are not final after {} s, the first is {first}",
            orders.len(),
            within.as_secs(),
        );
        let mut reads = JoinSet::new();
        for (number, order) in orders {
            let rush = rush.clone();
            reads.spawn(async move {
                let _permit = rush.permits.acquire().await;
                let answer = rush.api.get_order(&order.buyer, &number).await;
                if let Some(status) = answer.text("status") {
                    rush.tally.seen(&number, status);
                }
            });
        }
        reads.join_all().await;
        sleep(Duration::from_millis(500)).await;
        orders = rush.tally.counts().accepted;
    }
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
