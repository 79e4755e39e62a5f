//! Deliveries that reach the caller that awaits them.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Message, ToBytes};
use rdkafka::producer::future_producer::Delivery;
use rdkafka::producer::{
    BaseRecord, FutureRecord, NoCustomPartitioner, Partitioner, ProducerContext,
};
use rdkafka::statistics::Statistics;
use tokio::sync::oneshot;

use crate::PolledProducer;

/// The context of a producer whose deliveries are awaited. Passes everything else to `C`.
#[derive(Debug, Clone, Default)]
pub struct AwaitedDeliveries<C, P = NoCustomPartitioner> {
    context: C,
    partitioner: Option<P>,
}

impl<C> AwaitedDeliveries<C> {
    /// `context` receives errors, log lines and statistics. librdkafka selects the partitions.
    pub const fn new(context: C) -> Self {
        Self {
            context,
            partitioner: None,
        }
    }
}

impl<C, P> AwaitedDeliveries<C, P> {
    /// As [`new`](AwaitedDeliveries::new), but `partitioner` selects the partition of each record
    /// that has a key and no partition. Without one librdkafka does.
    pub const fn with_partitioner(context: C, partitioner: Option<P>) -> Self {
        Self {
            context,
            partitioner,
        }
    }
}

impl<C: ClientContext, P: Send + Sync + 'static> ClientContext for AwaitedDeliveries<C, P> {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = C::ENABLE_REFRESH_OAUTH_TOKEN;

    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.context.log(level, facility, message);
    }

    fn stats(&self, statistics: Statistics) {
        self.context.stats(statistics);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        self.context.stats_raw(statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.context.error(error, reason);
    }

    fn generate_oauth_token(
        &self,
        config: Option<&str>,
    ) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.context.generate_oauth_token(config)
    }
}

impl<C, P> ProducerContext<P> for AwaitedDeliveries<C, P>
where
    C: ClientContext,
    P: Partitioner + Send + Sync + 'static,
{
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

    fn get_custom_partitioner(&self) -> Option<&P> {
        self.partitioner.as_ref()
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

impl<C, P> PolledProducer<AwaitedDeliveries<C, P>, P>
where
    C: ClientContext + Clone + 'static,
    P: Partitioner + Clone + Send + Sync + 'static,
{
    /// Queues a record. Never blocks. If the receiver returns an error, the broker may have the
    /// record nevertheless.
    ///
    /// # Errors
    /// The record never left this process: the producer refuses it, or its queue is full.
    pub fn send<K, V>(&self, record: FutureRecord<'_, K, V>) -> Result<DeliveryReceiver, KafkaError>
    where
        K: ToBytes + ?Sized,
        V: ToBytes + ?Sized,
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
