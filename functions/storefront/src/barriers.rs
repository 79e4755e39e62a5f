//! Barriers that the timeout-closer requests: an accepted order has no row when payment is due, and only what order-create does behind
//! such a barrier tells whether it ever gets one.
//!
//! The closer holds no Kafka client, so requests stand in Postgres, and every storefront looks for them beside its requests, at most
//! once in [`EVERY`]. One process appends the barrier. One that dies before it has, or whose barrier is deleted unread, is followed by
//! another after a while.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use shared::message::{Barrier, Nonce};
use shared::store::Store;

use crate::kafka::{PublishOrders, Published};
use crate::storefront::Storefront;

/// How often a process looks for requests at most.
const EVERY: Duration = Duration::from_secs(2);

/// When this process looked for requests last.
#[derive(Debug, Default)]
pub struct LastLook(Mutex<Option<Instant>>);

impl LastLook {
    /// Whether it is time to look. Once for every time it is.
    fn is_due(&self, now: Instant) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|last| now.saturating_duration_since(last) >= EVERY);
        if due {
            *last = Some(now);
        }
        due
    }
}

/// Appends the requested barriers beside the request at hand, if it is time to look for them.
pub fn append_requested_beside(shop: &Storefront) {
    if !shop.barrier_look.is_due(Instant::now()) {
        return;
    }
    let store = shop.store.clone();
    let publisher = shop.publisher.clone();
    let topic = shop.settings.topic.clone();
    let token = shop.clock.nonce();
    tokio::spawn(async move {
        if let Err(why) = append_requested(&store, &publisher, &topic, token).await {
            tracing::warn!(
                why,
                "requested barriers are not appended; a later request tries again"
            );
        }
    });
}

/// Appends a barrier to each partition in which one is requested and none is on its way. Returns how many. `token`: 128 random bits.
pub async fn append_requested(
    store: &Store,
    publisher: &Arc<dyn PublishOrders>,
    topic: &str,
    token: Nonce,
) -> Result<usize, String> {
    let partitions = store
        .claim_barriers(topic, token)
        .await
        .map_err(|error| error.to_string())?;
    if partitions.is_empty() {
        return Ok(0);
    }
    let logs = publisher.logs().await?;
    let mut appended = 0;
    for partition in partitions {
        if !logs.contains_key(&partition) {
            // The topic was created again with fewer partitions.
            tracing::error!(
                alarm = "partition_gone",
                topic,
                partition,
                "the orders' topic has no such partition any more"
            );
            store
                .pass_barrier(topic, partition, token)
                .await
                .map_err(|error| error.to_string())?;
            continue;
        }
        match publisher
            .append_barrier(partition, &Barrier::new(token))
            .await
        {
            Published::Acknowledged { offset, .. } => {
                tracing::info!(topic, partition, offset, "a barrier is appended");
                appended += 1;
            }
            Published::Refused(why) | Published::Unknown(why) => {
                tracing::warn!(
                    topic,
                    partition,
                    why,
                    "a barrier is not appended; another follows"
                );
            }
        }
    }
    Ok(appended)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_looks_once_at_a_time() {
        let look = LastLook::default();
        let now = Instant::now();
        assert!(look.is_due(now));
        assert!(!look.is_due(now + EVERY / 2));
        assert!(look.is_due(now + EVERY));
        assert!(!look.is_due(now));
    }
}
