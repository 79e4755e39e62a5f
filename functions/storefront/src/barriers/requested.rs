//! Barriers that the timeout-closer requests.
//!
//! The closer requests one for an accepted order that has no row when payment is due: only after
//! order-create has passed the barrier is it certain that the order gets no row. The closer has no
//! Kafka client, so its requests are rows in Postgres. Every storefront polls them beside its
//! requests, at most once per [`POLL_INTERVAL`]. One process claims and appends each barrier. If it
//! dies first, or Kafka deletes the barrier unread, another process claims it after a while.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use shared::message::{Barrier, Nonce};
use shared::store::{Store, StoreError};

use crate::kafka::{BrokerError, PublishOrders, Published};

/// Minimum time between two polls of one process.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// Why the requested barriers were not appended.
#[derive(Debug, thiserror::Error)]
pub enum BarrierError {
    /// The requests cannot be claimed, or released.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The offsets of the topic cannot be read.
    #[error(transparent)]
    Broker(#[from] BrokerError),
}

/// When this process polled last.
#[derive(Debug, Default)]
pub struct BarrierPoll(Mutex<Option<Instant>>);

impl BarrierPoll {
    /// Whether a poll is due. Returns true once per interval.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|last| now.saturating_duration_since(last) >= POLL_INTERVAL);
        if due {
            *last = Some(now);
        }
        due
    }
}

/// Appends a barrier to each partition that has a request and no barrier under way. `token` is 128
/// random bits. Returns the number of barriers.
pub async fn append_requested(
    store: &Store,
    publisher: &Arc<dyn PublishOrders>,
    topic: &str,
    token: Nonce,
) -> Result<usize, BarrierError> {
    let partitions = store.claim_barriers(topic, token).await?;
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
            store.pass_barrier(topic, partition, token).await?;
            continue;
        }
        match publisher
            .append_barrier(partition, &Barrier::new(token))
            .await
        {
            Published::Acknowledged { offset, .. } => {
                tracing::info!(topic, partition, offset, "appended a requested barrier");
                appended += 1;
            }
            Published::Refused(why) | Published::Unknown(why) => {
                tracing::warn!(
                    topic,
                    partition,
                    why,
                    "cannot append a requested barrier; a process tries again after the claim \
                     expires"
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
    fn a_process_polls_once_per_interval() {
        let poll = BarrierPoll::default();
        let now = Instant::now();
        assert!(poll.is_due(now));
        assert!(!poll.is_due(now + POLL_INTERVAL / 2));
        assert!(poll.is_due(now + POLL_INTERVAL));
        assert!(!poll.is_due(now));
    }
}
