//! Channels listened to, on a connection of their own.

use std::time::Duration;

use futures::StreamExt;
use redis::Value;
use redis::aio::{PubSubSink, PubSubStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::{Link, LinkError};

/// Between two pings on a connection that only listens: silence is otherwise not told from having nothing to say.
const PING_EVERY: Duration = Duration::from_secs(2);

/// What is published on some channels from now on. What is published while there is no subscription is lost.
pub(crate) struct Subscription {
    sink: PubSubSink,
    messages: PubSubStream,
    /// Changes when the link has left the server that this subscription may still be connected to.
    left: watch::Receiver<u64>,
    response_timeout: Duration,
    ping_at: Instant,
}

impl Subscription {
    /// The next message: its channel and its text. Nothing when the subscription has ended: its connection was closed, the server
    /// does not answer a ping within the response timeout, or the link has changed its connection.
    pub(crate) async fn next(&mut self) -> Option<(String, String)> {
        loop {
            tokio::select! {
                message = self.messages.next() => {
                    let message = message?;
                    return Some((message.get_channel_name().to_owned(), message.get_payload().unwrap_or_default()));
                }
                _ = self.left.changed() => return None,
                () = sleep_until(self.ping_at) => {
                    let pong = timeout(self.response_timeout, self.sink.ping::<Value>()).await;
                    pong.ok()?.ok()?;
                    self.ping_at = Instant::now() + PING_EVERY;
                }
            }
        }
    }
}

impl Link {
    /// Listens to channels. Comes back when they are being listened to, within the response timeout.
    pub(crate) async fn subscribe(&self, channels: &[String]) -> Result<Subscription, LinkError> {
        let left = self.numbers();
        let subscribed = async {
            let mut channel = self.client().get_async_pubsub().await?;
            channel.subscribe(channels).await?;
            Ok::<_, LinkError>(channel)
        };
        let response_timeout = self.response_timeout();
        let subscribed = timeout(response_timeout, subscribed)
            .await
            .map_err(|_| LinkError::silent(response_timeout))??;
        let (sink, messages) = subscribed.split();
        Ok(Subscription {
            sink,
            messages,
            left,
            response_timeout,
            ping_at: Instant::now() + PING_EVERY,
        })
    }
}
