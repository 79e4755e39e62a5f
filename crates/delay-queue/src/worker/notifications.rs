//! Notifications of earlier due times, which the queue's scripts publish (`lua/entry.lua`).
//!
//! Messages published while there is no subscription are lost. So the worker checks all shards when
//! a subscription begins, and polls often while there is none.

use std::time::Duration;

use redis_link::LinkError;
use tokio::sync::mpsc::Sender;
use tokio::time::sleep;

use crate::{Backoff, DelayQueue, Shard};

/// A message to the worker's loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notification {
    /// The subscription has begun, or ended.
    Subscribed(bool),
    /// The new earliest due time of a shard, milliseconds.
    Earlier(Shard, u64),
}

const RESUBSCRIBE: Backoff = Backoff {
    base: Duration::from_millis(50),
    cap: Duration::from_secs(2),
    max_attempts: None,
};

/// Keeps a subscription for ever. The worker stops this task before it drops the receiver.
pub(super) async fn forward(queue: DelayQueue, shards: Vec<Shard>, out: Sender<Notification>) {
    let mut attempt = 0;
    loop {
        match subscribe(&queue, &shards, &out).await {
            // The subscription worked for some time.
            Ok(()) => attempt = 1,
            Err(error) => {
                attempt += 1;
                tracing::debug!(
                    %error,
                    attempt,
                    "subscribing to a delay queue failed; it is repeated"
                );
            }
        }
        let _ = out.send(Notification::Subscribed(false)).await;
        let pause = RESUBSCRIBE.delay(attempt, rand::random());
        sleep(pause.unwrap_or(RESUBSCRIBE.cap)).await;
    }
}

/// Forwards messages until the subscription ends.
async fn subscribe(
    queue: &DelayQueue,
    shards: &[Shard],
    out: &Sender<Notification>,
) -> Result<(), LinkError> {
    let channels: Vec<String> = shards
        .iter()
        .map(|shard| queue.wake_channel(*shard))
        .collect();
    let mut subscription = queue.link.subscribe(&channels).await?;
    let _ = out.send(Notification::Subscribed(true)).await;
    while let Some((channel, due)) = subscription.next().await {
        let index = channels.iter().position(|known| *known == channel);
        if let (Some(index), Ok(due)) = (index, due.parse()) {
            let _ = out.send(Notification::Earlier(shards[index], due)).await;
        }
    }
    Ok(())
}
