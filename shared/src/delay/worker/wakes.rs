//! Hears when something earlier was scheduled, by whatever process: the queue's scripts publish it (`lua/entry.lua`).
//!
//! What is published while nobody listens is lost. So whenever listening begins, everything is to be looked at, and while it does not
//! work, often.

use std::time::Duration;

use tokio::sync::mpsc::{Sender, error::SendError};
use tokio::time::sleep;

use crate::delay::DelayQueue;
use crate::link::LinkError;
use crate::message::Shard;
use lambda_batch::Backoff;

/// What was heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wake {
    /// Listening has begun: what happened before was not heard.
    Listening,
    /// Something of this shard is due at this time, milliseconds, earlier than anything before.
    Earlier(Shard, u64),
    /// Nothing is heard any more.
    Deaf,
}

const AGAIN: Backoff = Backoff {
    base: Duration::from_millis(50),
    cap: Duration::from_secs(2),
    max_attempts: None,
};

/// Listens for ever. Ends when nobody wants to know any more.
pub(super) async fn listen(queue: DelayQueue, shards: Vec<Shard>, out: Sender<Wake>) {
    let mut attempt = 0;
    loop {
        match hear(&queue, &shards, &out).await {
            Err(Stop::Unwanted) => return,
            Err(Stop::NoLink(error)) => {
                attempt += 1;
                tracing::debug!(%error, attempt, "wakes cannot be heard now");
            }
            // It was heard for a while.
            Ok(()) => attempt = 1,
        }
        if out.send(Wake::Deaf).await.is_err() {
            return;
        }
        sleep(AGAIN.delay(attempt, rand::random()).unwrap_or(AGAIN.cap)).await;
    }
}

enum Stop {
    Unwanted,
    NoLink(LinkError),
}

impl From<SendError<Wake>> for Stop {
    fn from(_: SendError<Wake>) -> Self {
        Self::Unwanted
    }
}

impl From<LinkError> for Stop {
    fn from(error: LinkError) -> Self {
        Self::NoLink(error)
    }
}

/// Listens until the connection ends.
async fn hear(queue: &DelayQueue, shards: &[Shard], out: &Sender<Wake>) -> Result<(), Stop> {
    let channels: Vec<String> = shards
        .iter()
        .map(|shard| queue.wake_channel(*shard))
        .collect();
    let mut subscription = queue.link.subscribe(&channels).await?;
    out.send(Wake::Listening).await?;
    while let Some((channel, due)) = subscription.next().await {
        let shard = channels
            .iter()
            .position(|known| *known == channel)
            .map(|at| shards[at]);
        if let (Some(shard), Ok(due)) = (shard, due.parse()) {
            out.send(Wake::Earlier(shard, due)).await?;
        }
    }
    Ok(())
}
