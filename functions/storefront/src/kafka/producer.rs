//! The publisher over librdkafka: idempotent, acks=all, every delivery bounded.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use rdkafka::types::RDKafkaErrorCode as Code;
use rdkafka::util::Timeout;
use shared::message::{Barrier, OrderNumber};

use super::circuit::Circuit;
use super::config::client_config;
use super::{Logs, PublishOrders, Published};
use crate::settings::KafkaSecurity;

/// How long a probe, and so a request while the circuit is open, may take.
const PROBE: Duration = Duration::from_millis(400);
/// How long a request for the offsets of one partition may take.
const OFFSETS: Duration = Duration::from_secs(2);
/// Beyond the delivery timeout: librdkafka notices its own timeouts a little late.
const SLACK: Duration = Duration::from_millis(500);

/// Publishes to one topic. A producer that met a fatal error is replaced; what it still had out ends as Unknown.
pub struct KafkaOrders {
    config: ClientConfig,
    topic: String,
    delivery: Duration,
    circuit: Arc<Circuit>,
    producer: Mutex<FutureProducer<Watch>>,
}

/// Listens to what librdkafka says of the brokers.
struct Watch(Arc<Circuit>);

impl ClientContext for Watch {
    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            self.0.open();
        }
        tracing::warn!(%error, reason, "kafka");
    }
}

impl KafkaOrders {
    /// Prepares a producer; nothing connects before it is used or a background thread gets to it. Fails only on unusable settings.
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
            // A buyer waits for each message; gathering more of them is worth a moment only.
            .set("linger.ms", "1")
            // What a topic took once may come back to it: the broker's limit counts, not this one.
            .set("message.max.bytes", "16000000");
        let circuit = Arc::new(Circuit::default());
        let producer = Mutex::new(create(&config, &circuit)?);
        Ok(Self {
            config,
            topic: topic.to_owned(),
            delivery,
            circuit,
            producer,
        })
    }

    fn producer(&self) -> FutureProducer<Watch> {
        self.producer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Replaces a producer that can never send again.
    fn replace_if_fatal(&self, used: &FutureProducer<Watch>) {
        let Some((code, reason)) = used.client().fatal_error() else {
            return;
        };
        let mut current = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        // Another request may have replaced it already: the current one is then another, and sound.
        if current.client().fatal_error().is_some() {
            tracing::error!(
                ?code,
                reason,
                "kafka producer failed for good; making another"
            );
            match create(&self.config, &self.circuit) {
                Ok(producer) => *current = producer,
                Err(error) => tracing::error!(%error, "no new kafka producer"),
            }
        }
    }

    /// Runs a blocking question to the brokers beside the event loop.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&FutureProducer<Watch>, &str) -> Result<T, KafkaError> + Send + 'static,
    ) -> Result<T, String> {
        let producer = self.producer();
        let topic = self.topic.clone();
        match tokio::task::spawn_blocking(move || question(&producer, &topic)).await {
            Ok(answer) => answer.map_err(|e| e.to_string()),
            Err(e) => Err(e.to_string()),
        }
    }

    /// Sends one record and waits for its end, within the delivery timeout.
    ///
    /// Without a partition the key decides which one takes it.
    async fn send(
        &self,
        topic: &str,
        partition: Option<i32>,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Published {
        let producer = self.producer();
        let mut record = FutureRecord::<[u8], [u8]>::to(topic);
        record.partition = partition;
        record.key = key;
        record.payload = value;
        let delivery = match producer.send_result(record) {
            Ok(delivery) => delivery,
            Err((error, _)) => {
                self.replace_if_fatal(&producer);
                return Published::Refused(error.to_string());
            }
        };
        match tokio::time::timeout(self.delivery + SLACK, delivery).await {
            Ok(Ok(Ok(delivery))) => {
                self.circuit.close();
                match (delivery.offset, delivery.timestamp.to_millis()) {
                    (offset, Some(appended_ms)) if offset >= 0 => Published::Acknowledged {
                        partition: delivery.partition,
                        offset,
                        appended_ms,
                    },
                    // The broker has it, but not where: the end of the partition is behind it for certain.
                    (_, appended_ms) => {
                        let partition = delivery.partition;
                        let topic = topic.to_owned();
                        let end = self
                            .ask(move |producer, _| {
                                producer
                                    .client()
                                    .fetch_watermarks(&topic, partition, OFFSETS)
                            })
                            .await;
                        match end {
                            Ok((_, offset)) => Published::Acknowledged {
                                partition,
                                offset,
                                appended_ms: appended_ms.unwrap_or(0),
                            },
                            Err(error) => Published::Unknown(error),
                        }
                    }
                }
            }
            Ok(Ok(Err((error, _)))) => {
                if error.rdkafka_error_code() == Some(Code::MessageTimedOut) {
                    self.circuit.open();
                }
                self.replace_if_fatal(&producer);
                Published::Unknown(error.to_string())
            }
            Ok(Err(_)) => Published::Unknown("the producer was replaced".to_owned()),
            Err(_) => {
                self.circuit.open();
                Published::Unknown("no word from the broker in time".to_owned())
            }
        }
    }
}

fn create(
    config: &ClientConfig,
    circuit: &Arc<Circuit>,
) -> Result<FutureProducer<Watch>, KafkaError> {
    config.create_with_context(Watch(circuit.clone()))
}

#[async_trait::async_trait]
impl PublishOrders for KafkaOrders {
    async fn ready(&self) -> Result<(), String> {
        if !self.circuit.is_open() {
            return Ok(());
        }
        let Some(_probe) = self.circuit.probe() else {
            return Err("the brokers do not answer".to_owned());
        };
        self.ask(|producer, topic| {
            producer
                .client()
                .fetch_metadata(Some(topic), PROBE)
                .map(drop)
        })
        .await?;
        self.circuit.close();
        Ok(())
    }

    async fn publish(&self, order: OrderNumber, message: &str) -> Published {
        self.send(
            &self.topic,
            None,
            Some(order.to_string().as_bytes()),
            Some(message.as_bytes()),
        )
        .await
    }

    async fn put_back(&self, topic: &str, key: Option<&[u8]>, value: Option<&[u8]>) -> Published {
        self.send(topic, None, key, value).await
    }

    async fn append_barrier(&self, partition: i32, barrier: &Barrier) -> Published {
        self.send(
            &self.topic,
            Some(partition),
            None,
            Some(barrier.encode().as_bytes()),
        )
        .await
    }

    async fn logs(&self) -> Result<Logs, String> {
        self.ask(|producer, topic| {
            let client = producer.client();
            let metadata = client.fetch_metadata(Some(topic), Timeout::After(OFFSETS))?;
            let partitions = metadata
                .topics()
                .first()
                .map(rdkafka::metadata::MetadataTopic::partitions)
                .unwrap_or_default();
            if partitions.is_empty() {
                return Err(KafkaError::MetadataFetch(Code::UnknownTopicOrPartition));
            }
            let log = |partition| {
                client
                    .fetch_watermarks(topic, partition, OFFSETS)
                    .map(|(low, high)| low..high)
            };
            partitions
                .iter()
                .map(|p| Ok((p.id(), log(p.id())?)))
                .collect()
        })
        .await
    }
}
