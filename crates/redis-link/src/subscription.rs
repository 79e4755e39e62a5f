//! Pub/sub channels, on a connection of their own.

use std::time::Duration;

use futures::StreamExt;
use redis::Value;
use redis::aio::{PubSubSink, PubSubStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::link::Servers;
use super::{Link, LinkError};

/// Pings detect a dead server on a connection that otherwise only receives.
const PING_EVERY: Duration = Duration::from_secs(2);

/// The messages of some channels from now on. Messages published while there is no subscription are
/// lost.
pub struct Subscription {
    sink: PubSubSink,
    messages: PubSubStream,
    /// Changes when the link replaces a connection; the subscription may then be connected to an old
    /// server.
    changes: watch::Receiver<u64>,
    response_timeout: Duration,
    ping_at: Instant,
}

impl Subscription {
    /// The next message: its channel and its text. `None` when the subscription has ended: its
    /// connection was closed, the server does not answer a ping within the response timeout, or the
    /// link has replaced its connection.
    pub async fn next(&mut self) -> Option<(String, String)> {
        loop {
            tokio::select! {
                message = self.messages.next() => {
                    let message = message?;
                    let text = message.get_payload().unwrap_or_default();
                    return Some((message.get_channel_name().to_owned(), text));
                }
                _ = self.changes.changed() => return None,
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
    /// Subscribes to channels. Returns when the server has confirmed it, within the response
    /// timeout.
    pub async fn subscribe(&self, channels: &[String]) -> Result<Subscription, LinkError> {
        let changes = self.changes();
        let deadline = Instant::now() + self.response_timeout;
        let node = match &self.servers {
            Servers::One(node) => node.clone(),
            // The nodes of a cluster forward messages to each other.
            Servers::Cluster(cluster) => cluster.any_node(deadline).await?,
        };
        let subscribed = async {
            let mut channel = node.connection.connector.subscriber().await?;
            channel.subscribe(channels).await?;
            Ok::<_, LinkError>(channel)
        };
        let response_timeout = self.response_timeout;
        let subscribed = timeout_at(deadline, subscribed)
            .await
            .unwrap_or_else(|_| Err(LinkError::timed_out(response_timeout)));
        if let (Err(_), Servers::Cluster(cluster)) = (&subscribed, &self.servers) {
            cluster.set_stale(None);
        }
        let (sink, messages) = subscribed?.split();
        Ok(Subscription {
            sink,
            messages,
            changes,
            response_timeout,
            ping_at: Instant::now() + PING_EVERY,
        })
    }
}
