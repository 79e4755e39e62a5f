//! Notifications of earlier due times, which the queue's scripts publish (`lua/entry.lua`).
//!
//! Messages published while there is no subscription are lost. So the worker checks all shards when
//! a subscription begins, and polls often while there is none.

use std::time::Duration;

use redis_link::LinkError;
use tokio::sync::mpsc::{Sender, error::SendError};
use tokio::time::sleep;

use crate::{Backoff, DelayQueue, Shard};

/// A message to the worker's loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notification {
    /// The subscription has begun.
    Subscribed,
    /// The new earliest due time of a shard, milliseconds.
    Earlier(Shard, u64),
    /// The subscription has ended.
    Unsubscribed,
}

const RESUBSCRIBE: Backoff = Backoff {
    base: Duration::from_millis(50),
    cap: Duration::from_secs(2),
    max_attempts: None,
};

/// Keeps a subscription until the receiver is dropped.
pub(super) async fn forward(queue: DelayQueue, shards: Vec<Shard>, out: Sender<Notification>) {
    let mut attempt = 0;
    loop {
        match subscribe(&queue, &shards, &out).await {
            Err(Stop::ReceiverDropped) => return,
            Err(Stop::Redis(error)) => {
                attempt += 1;
                tracing::debug!(
                    %error,
                    attempt,
                    "subscribing to a delay queue failed; it is repeated"
                );
            }
            // The subscription worked for some time.
            Ok(()) => attempt = 1,
        }
        if out.send(Notification::Unsubscribed).await.is_err() {
            return;
        }
        let pause = RESUBSCRIBE.delay(attempt, rand::random());
        sleep(pause.unwrap_or(RESUBSCRIBE.cap)).await;
    }
}

enum Stop {
    ReceiverDropped,
    Redis(LinkError),
}

impl From<SendError<Notification>> for Stop {
    fn from(_: SendError<Notification>) -> Self {
        Self::ReceiverDropped
    }
}

impl From<LinkError> for Stop {
    fn from(error: LinkError) -> Self {
        Self::Redis(error)
    }
}

/// Forwards messages until the subscription ends.
async fn subscribe(
    queue: &DelayQueue,
    shards: &[Shard],
    out: &Sender<Notification>,
) -> Result<(), Stop> {
    let channels: Vec<String> = shards
        .iter()
        .map(|shard| queue.wake_channel(*shard))
        .collect();
    let mut subscription = queue.link.subscribe(&channels).await?;
    out.send(Notification::Subscribed).await?;
    while let Some((channel, due)) = subscription.next().await {
        let shard = channels
            .iter()
            .position(|known| *known == channel)
            .map(|index| shards[index]);
        if let (Some(shard), Ok(due)) = (shard, due.parse()) {
            out.send(Notification::Earlier(shard, due)).await?;
        }
    }
    Ok(())
}
