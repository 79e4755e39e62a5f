//! Waits until every accepted order is final.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::buyer::Rush;

/// Pause between two rounds of look-ups.
const PAUSE: Duration = Duration::from_millis(500);

/// Looks the orders up that are not final yet, until all are or the time is up. Returns the numbers
/// of those that are not. `progress` receives, in each round, how many are final and how many
/// there are.
pub async fn poll_until_final(
    rush: &Rush,
    within: Duration,
    progress: impl Fn(usize, usize),
) -> Vec<String> {
    let deadline = Instant::now() + within;
    let mut orders = rush.tally.counts().accepted;
    let all = orders.len();
    loop {
        orders.retain(|_, order| !order.is_final());
        progress(all - orders.len(), all);
        if orders.is_empty() || Instant::now() > deadline {
            return orders.into_keys().collect();
        }
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
        sleep(PAUSE).await;
        orders = rush.tally.counts().accepted;
    }
}
