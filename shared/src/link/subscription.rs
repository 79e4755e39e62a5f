//! Channels listened to, on a connection of their own.

use std::pin::Pin;

use futures::{Stream, StreamExt};
use redis::Msg;

use super::{Link, LinkError};

/// What is published on some channels from now on. Ends with its connection; what is published in between is lost.
pub(crate) struct Subscription(Pin<Box<dyn Stream<Item = Msg> + Send>>);

impl Subscription {
    /// The next message: its channel and its text. Nothing when the connection has ended.
    pub(crate) async fn next(&mut self) -> Option<(String, String)> {
        let message = self.0.next().await?;
        Some((message.get_channel_name().to_owned(), message.get_payload().unwrap_or_default()))
    }
}

impl Link {
    /// Listens to channels. Comes back when they are being listened to, within the response timeout.
    pub(crate) async fn subscribe(&self, channels: &[String]) -> Result<Subscription, LinkError> {
        let subscribed = async {
            let mut channel = self.client().get_async_pubsub().await?;
            channel.subscribe(channels).await?;
            Ok(channel)
        };
        Ok(Subscription(Box::pin(self.bounded(subscribed).await?.into_on_message())))
    }
}
