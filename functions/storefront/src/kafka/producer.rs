//! Publisher over librdkafka: idempotent, acks=all, with a bounded delivery time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Message};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, ProducerContext};
use rdkafka::types::RDKafkaErrorCode as Code;
use rdkafka::util::Timeout;
use shared::message::{Barrier, OrderNumber};
use tokio::sync::oneshot;

use super::circuit_breaker::CircuitBreaker;
use super::config::client_config;
use super::{BrokerError, LogRanges, PolledProducer, PublishOrders, Published};
use crate::settings::KafkaSecurity;

/// Timeout of a probe, and so of a request while the circuit breaker is open.
const PROBE_TIMEOUT: Duration = Duration::from_millis(400);
/// Timeout of a request for metadata, or for the offsets of one partition.
const OFFSETS_TIMEOUT: Duration = Duration::from_secs(2);
/// Added to the delivery timeout: librdkafka reports its timeouts late.
const SLACK: Duration = Duration::from_millis(500);

/// Publishes to one topic. Replaces its producer after a fatal error; the outstanding messages end
/// as [`Published::Unknown`].
pub struct KafkaOrders {
    config: ClientConfig,
    topic: String,
    delivery: Duration,
    breaker: Arc<CircuitBreaker>,
    producer: Mutex<Arc<PolledProducer<OrdersContext>>>,
}

/// Opens the circuit breaker when librdkafka reports all brokers down, and hands each delivery to
/// the request that waits for it.
struct OrdersContext(Arc<CircuitBreaker>);

/// Where the broker appended a record.
struct Delivery {
    partition: i32,
    offset: i64,
    appended_ms: Option<i64>,
}

impl ClientContext for OrdersContext {
    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(Code::AllBrokersDown) {
            self.0.open();
        }
        tracing::warn!(%error, reason, "librdkafka reports an error");
    }
}

impl ProducerContext for OrdersContext {
    type DeliveryOpaque = Box<oneshot::Sender<Result<Delivery, KafkaError>>>;

    fn delivery(&self, result: &DeliveryResult<'_>, request: Self::DeliveryOpaque) {
        let delivery = match result {
            Ok(record) => Ok(Delivery {
                partition: record.partition(),
                offset: record.offset(),
                appended_ms: record.timestamp().to_millis(),
            }),
            Err((error, _)) => Err(error.clone()),
        };
        // Fails if the request has ended: nothing is left to be done.
        let _ = request.send(delivery);
    }
}

impl KafkaOrders {
    /// Creates the producer; a background thread connects. Fails only on invalid settings.
    pub fn open(
        brokers: &str,
        security: &KafkaSecurity,
        topic: &str,
        delivery: Duration,
    ) -> Result<Self, KafkaError> {
        let mut config = client_config(brokers, security, "storefront");
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("delivery.timeout.ms", delivery.as_millis().to_string())
            .set(
                "request.timeout.ms",
                delivery.as_millis().min(5_000).to_string(),
            )
            // A buyer waits for each message.
            .set("linger.ms", "1")
            // A replayed record may have any size that the broker accepts.
            .set("message.max.bytes", "16000000");
        let breaker = Arc::new(CircuitBreaker::default());
        let producer = Mutex::new(create(&config, &breaker)?);
        Ok(Self {
            config,
            topic: topic.to_owned(),
            delivery,
            breaker,
            producer,
        })
    }

    fn producer(&self) -> Arc<PolledProducer<OrdersContext>> {
        self.producer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Replaces a producer after a fatal error.
    fn replace_if_fatal(&self, used: &PolledProducer<OrdersContext>) {
        let now = Instant::now();
        let Some((code, reason)) = used.replaceable(now) else {
            return;
        };
        let mut current = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        // Another request may have replaced it already.
        if current.replaceable(now).is_some() {
            tracing::error!(
                ?code,
                reason,
                "the producer had a fatal error; creating another"
            );
            match create(&self.config, &self.breaker) {
                Ok(producer) => *current = producer,
                Err(error) => {
                    tracing::error!(%error, "cannot create a new producer; orders are refused");
                }
            }
        }
    }

    /// Runs a blocking request to the brokers outside the event loop.
    async fn blocking<T: Send + 'static>(
        &self,
        request: impl FnOnce(&BaseProducer<OrdersContext>, &str) -> Result<T, KafkaError>
        + Send
        + 'static,
    ) -> Result<T, BrokerError> {
        let producer = self.producer();
        let topic = self.topic.clone();
        let request = tokio::task::spawn_blocking(move || request(producer.client(), &topic));
        Ok(request.await??)
    }

    /// The offset behind the last record of a partition.
    async fn end(&self, topic: String, partition: i32) -> Result<i64, BrokerError> {
        self.blocking(move |producer, _| {
            let client = producer.client();
            let (_, end) = client.fetch_watermarks(&topic, partition, OFFSETS_TIMEOUT)?;
            Ok(end)
        })
        .await
    }

    /// Publishes one record and waits for the outcome, within the delivery timeout. Without a
    /// partition the key selects one.
    async fn send(
        &self,
        topic: &str,
        partition: Option<i32>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Published {
        let producer = self.producer();
        let (sender, delivery) = oneshot::channel();
        let mut record = BaseRecord::<[u8], [u8], _>::with_opaque_to(topic, Box::new(sender));
        record.partition = partition;
        record.key = key;
        record.payload = value;
        if let Err((error, _)) = producer.client().send(record) {
            self.replace_if_fatal(&producer);
            return Published::Refused(error.to_string());
        }
        match tokio::time::timeout(self.delivery + SLACK, delivery).await {
            Ok(Ok(Ok(delivery))) => {
                self.breaker.close();
                let partition = delivery.partition;
                let appended_ms = delivery.appended_ms;
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
            Ok(Ok(Err(error))) => {
                if error.rdkafka_error_code() == Some(Code::MessageTimedOut) {
                    self.breaker.open();
                }
                self.replace_if_fatal(&producer);
                Published::Unknown(error.to_string())
            }
            Ok(Err(_)) => Published::Unknown("the producer was replaced".to_owned()),
            Err(_) => {
                self.breaker.open();
                Published::Unknown("the broker did not acknowledge in time".to_owned())
            }
        }
    }
}

fn create(
    config: &ClientConfig,
    breaker: &Arc<CircuitBreaker>,
) -> Result<Arc<PolledProducer<OrdersContext>>, KafkaError> {
    PolledProducer::create(config, OrdersContext(breaker.clone())).map(Arc::new)
}

#[async_trait::async_trait]
impl PublishOrders for KafkaOrders {
    async fn ready(&self) -> Result<(), BrokerError> {
        if !self.breaker.is_open() {
            return Ok(());
        }
        let Some(_probe) = self.breaker.probe() else {
            return Err(BrokerError::Unreachable);
        };
        self.blocking(|producer, topic| {
            let client = producer.client();
            client.fetch_metadata(Some(topic), PROBE_TIMEOUT).map(drop)
        })
        .await?;
        self.breaker.close();
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
        self.blocking(|producer, topic| {
            let client = producer.client();
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
