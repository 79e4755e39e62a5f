//! Deliveries that reach the caller that awaits them.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Message, ToBytes};
use rdkafka::producer::future_producer::Delivery;
use rdkafka::producer::{BaseRecord, FutureRecord, ProducerContext};
use rdkafka::statistics::Statistics;
use tokio::sync::oneshot;

use crate::PolledProducer;

/// The context of a producer whose deliveries are awaited. Passes everything else to `C`.
#[derive(Debug, Clone, Default)]
pub struct AwaitedDeliveries<C>(C);

impl<C> AwaitedDeliveries<C> {
    /// `context` receives errors, log lines and statistics.
    pub const fn new(context: C) -> Self {
        Self(context)
    }
}

impl<C: ClientContext> ClientContext for AwaitedDeliveries<C> {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = C::ENABLE_REFRESH_OAUTH_TOKEN;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.0.log(level, facility, message);
    }

    fn stats(&self, statistics: Statistics) {
        self.0.stats(statistics);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        self.0.stats_raw(statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(error, reason);
    }

    fn generate_oauth_token(
        &self,
        config: Option<&str>,
    ) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.0.generate_oauth_token(config)
    }
}

impl<C: ClientContext> ProducerContext for AwaitedDeliveries<C> {
    type DeliveryOpaque = Box<oneshot::Sender<Result<Delivery, KafkaError>>>;

    fn delivery(&self, result: &DeliveryResult<'_>, caller: Self::DeliveryOpaque) {
        let delivery = match result {
            Ok(record) => Ok(Delivery {
                partition: record.partition(),
                offset: record.offset(),
                timestamp: record.timestamp(),
            }),
            Err((error, _)) => Err(error.clone()),
        };
        // Fails if the caller no longer waits: nothing is left to be done.
        let _ = caller.send(delivery);
    }
}

/// Receives the outcome of one record, at the latest at the end of the producer's delivery timeout.
/// [`KafkaError::Canceled`] if the producer has gone without one.
#[derive(Debug)]
#[must_use = "the outcome of a record is unknown until this is awaited"]
pub struct DeliveryReceiver(oneshot::Receiver<Result<Delivery, KafkaError>>);

impl Future for DeliveryReceiver {
    type Output = Result<Delivery, KafkaError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let delivery = ready!(Pin::new(&mut self.0).poll(context));
        Poll::Ready(delivery.unwrap_or(Err(KafkaError::Canceled)))
    }
}

impl<C: ClientContext + Clone + 'static> PolledProducer<AwaitedDeliveries<C>> {
    /// Queues a record. Never blocks. If the receiver returns an error, the broker may have the
    /// record nevertheless.
    ///
    /// # Errors
    /// The record never left this process: the producer refuses it, or its queue is full.
    pub fn send<K, P>(&self, record: FutureRecord<'_, K, P>) -> Result<DeliveryReceiver, KafkaError>
    where
        K: ToBytes + ?Sized,
        P: ToBytes + ?Sized,
    {
        let (sender, delivery) = oneshot::channel();
        let record = BaseRecord {
            topic: record.topic,
            partition: record.partition,
            payload: record.payload,
            key: record.key,
            timestamp: record.timestamp,
            headers: record.headers,
            delivery_opaque: Box::new(sender),
        };
        match self.client().send(record) {
            Ok(()) => Ok(DeliveryReceiver(delivery)),
            Err((error, _)) => Err(error),
        }
    }
}
