//! Publisher over librdkafka: idempotent, acks=all, with a bounded delivery time.

use std::sync::Arc;
use std::time::Duration;

use kafka_producer::{AwaitedDeliveries, BrokerAccess, PolledProducer, StickyPartitions};
use rdkafka::client::{Client, ClientContext, OAuthToken};
use rdkafka::error::KafkaError;
use rdkafka::producer::{FutureRecord, Producer};
use rdkafka::types::RDKafkaErrorCode as Code;
use rdkafka::util::Timeout;
use shared::message::{Barrier, OrderNumber};

use super::circuit_breaker::CircuitBreaker;
use super::config::{follow_logins, hint};
use super::{BrokerError, LogRanges, PublishOrders, Published};

/// Timeout of a probe, and so of a request while the circuit breaker is open.
const PROBE_TIMEOUT: Duration = Duration::from_millis(400);
/// Timeout of a request for metadata, or for the offsets of one partition.
const OFFSETS_TIMEOUT: Duration = Duration::from_secs(2);
/// Timeout of a request with orders. A connection that has gone silent is replaced after it, and
/// the orders are sent again.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);
/// Added to the delivery timeout: librdkafka reports its timeouts late.
const SLACK: Duration = Duration::from_millis(500);

/// Publishes to one topic. Replaces its producer after a fatal error; the outstanding messages end
/// as [`Published::Unknown`].
pub struct KafkaOrders {
    topic: String,
    delivery: Duration,
    breaker: Arc<CircuitBreaker>,
    access: Arc<BrokerAccess>,
    producer: Arc<OrdersProducer>,
}

type OrdersDeliveries = AwaitedDeliveries<OrdersContext, StickyPartitions>;
type OrdersProducer = PolledProducer<OrdersDeliveries, StickyPartitions>;

/// Opens the circuit breaker when librdkafka reports all brokers down, or one that refuses this
/// client.
#[derive(Clone)]
struct OrdersContext {
    breaker: Arc<CircuitBreaker>,
    access: Arc<BrokerAccess>,
}

impl ClientContext for OrdersContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(Code::AllBrokersDown) {
            self.breaker.open();
        }
        if let Some(refusal) = self.access.failed(&error, reason) {
            self.breaker.open();
            let hint = hint(&refusal);
            tracing::error!(%error, reason, hint, "no connection to Kafka; orders are refused");
        } else {
            tracing::warn!(%error, reason, "librdkafka reports an error");
        }
    }

    fn generate_oauth_token(
        &self,
        _: Option<&str>,
    ) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.access.token()
    }
}

impl KafkaOrders {
    /// Creates the producer; a background thread connects. Fails only on invalid settings.
    ///
    /// The orders of one `linger` (whole milliseconds) share a partition, and so a request to its
    /// broker: no step of an order depends on the partition in which it is. With zero, each is sent
    /// at once, to the partition of its number.
    pub fn open(
        access: Arc<BrokerAccess>,
        topic: &str,
        delivery: Duration,
        linger: Duration,
    ) -> Result<Self, KafkaError> {
        let mut config = access.config("storefront");
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("delivery.timeout.ms", delivery.as_millis().to_string())
            .set(
                "request.timeout.ms",
                delivery.min(REQUEST_TIMEOUT).as_millis().to_string(),
            )
            .set("linger.ms", linger.as_millis().to_string())
            // A replayed record may have any size that the broker accepts.
            .set("message.max.bytes", "16000000");
        let breaker = Arc::new(CircuitBreaker::default());
        let context = OrdersContext {
            breaker: breaker.clone(),
            access: access.clone(),
        };
        let partitions = (!linger.is_zero()).then(|| StickyPartitions::new(linger));
        let context = AwaitedDeliveries::with_partitioner(context, partitions);
        let producer = Arc::new(PolledProducer::create(config, context)?);
        follow_logins(&access, &producer);
        Ok(Self {
            topic: topic.to_owned(),
            delivery,
            breaker,
            access,
            producer,
        })
    }

    /// Replaces the producer after a fatal error.
    fn replace_if_fatal(&self) {
        let Some(replacement) = self.producer.replace_if_fatal() else {
            return;
        };
        tracing::error!(
            code = ?replacement.code,
            reason = replacement.reason,
            "the producer had a fatal error; creating another"
        );
        if let Err(error) = replacement.created {
            tracing::error!(%error, "cannot create a new producer; orders are refused");
        }
    }

    /// A broker has answered.
    fn reached(&self) {
        self.breaker.close();
        self.access.succeeded();
    }

    /// Runs a blocking request to the brokers outside the event loop.
    async fn blocking<T: Send + 'static>(
        &self,
        request: impl FnOnce(&Client<OrdersDeliveries>, &str) -> Result<T, KafkaError> + Send + 'static,
    ) -> Result<T, BrokerError> {
        let producer = self.producer.client();
        let topic = self.topic.clone();
        let request = tokio::task::spawn_blocking(move || request(producer.client(), &topic));
        Ok(request.await??)
    }

    /// The offset behind the last record of a partition.
    async fn end(&self, topic: String, partition: i32) -> Result<i64, BrokerError> {
        self.blocking(move |client, _| {
            let (_, end) = client.fetch_watermarks(&topic, partition, OFFSETS_TIMEOUT)?;
            Ok(end)
        })
        .await
    }

    /// Publishes one record and waits for the outcome, within the delivery timeout. Without a
    /// partition the producer selects one.
    async fn send(
        &self,
        topic: &str,
        partition: Option<i32>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Published {
        let record = FutureRecord {
            topic,
            partition,
            payload: value,
            key,
            timestamp: None,
            headers: None,
        };
        let delivery = match self.producer.send(record) {
            Ok(delivery) => delivery,
            Err(error) => {
                self.replace_if_fatal();
                return Published::Refused(error.to_string());
            }
        };
        match tokio::time::timeout(self.delivery + SLACK, delivery).await {
            Ok(Ok(delivery)) => {
                self.reached();
                let partition = delivery.partition;
                let appended_ms = delivery.timestamp.to_millis();
                let offset = if appended_ms.is_some() && delivery.offset >= 0 {
                    Ok(delivery.offset)
                } else {
                    // Acknowledged without an offset: the end of the partition is behind the
                    // record.
                    self.end(topic.to_owned(), partition).await
                };
                match offset {
                    Ok(offset) => Published::Acknowledged {
                        partition,
                        offset,
                        appended_ms: appended_ms.unwrap_or(0),
                    },
                    Err(error) => Published::Unknown(error.to_string()),
                }
            }
            Ok(Err(KafkaError::Canceled)) => {
                Published::Unknown("the producer was replaced".to_owned())
            }
            Ok(Err(error)) => {
                if error.rdkafka_error_code() == Some(Code::MessageTimedOut) {
                    self.breaker.open();
                }
                self.replace_if_fatal();
                Published::Unknown(error.to_string())
            }
            Err(_) => {
                self.breaker.open();
                Published::Unknown("the broker did not acknowledge in time".to_owned())
            }
        }
    }
}

#[async_trait::async_trait]
impl PublishOrders for KafkaOrders {
    async fn ready(&self) -> Result<(), BrokerError> {
        if !self.breaker.is_open() {
            return Ok(());
        }
        let Some(_probe) = self.breaker.probe() else {
            let refusal = self.access.refusal();
            return Err(refusal.map_or(BrokerError::Unreachable, BrokerError::Refused));
        };
        let probe = |client: &Client<OrdersDeliveries>, topic: &str| {
            client.fetch_metadata(Some(topic), PROBE_TIMEOUT).map(drop)
        };
        if let Err(error) = self.blocking(probe).await {
            return Err(self.access.refusal().map_or(error, BrokerError::Refused));
        }
        self.reached();
        Ok(())
    }

    async fn publish(&self, order: OrderNumber, message: &str) -> Published {
        let key = order.to_string();
        let (key, message) = (Some(key.as_bytes()), Some(message.as_bytes()));
        self.send(&self.topic, None, key, message).await
    }

    async fn put_back(&self, topic: &str, key: Option<&[u8]>, value: Option<&[u8]>) -> Published {
        self.send(topic, None, key, value).await
    }

    async fn append_barrier(&self, partition: i32, barrier: &Barrier) -> Published {
        let barrier = barrier.encode();
        let value = Some(barrier.as_bytes());
        self.send(&self.topic, Some(partition), None, value).await
    }

    async fn logs(&self) -> Result<LogRanges, BrokerError> {
        self.blocking(|client, topic| {
            let metadata = client.fetch_metadata(Some(topic), Timeout::After(OFFSETS_TIMEOUT))?;
            let partitions = metadata
                .topics()
                .first()
                .map(rdkafka::metadata::MetadataTopic::partitions)
                .unwrap_or_default();
            if partitions.is_empty() {
                return Err(KafkaError::MetadataFetch(Code::UnknownTopicOrPartition));
            }
            let log = |partition| {
                let (low, high) = client.fetch_watermarks(topic, partition, OFFSETS_TIMEOUT)?;
                Ok((partition, low..high))
            };
            partitions.iter().map(|p| log(p.id())).collect()
        })
        .await
    }
}
