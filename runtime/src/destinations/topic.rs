//! Producers of records that must not be lost, and the topic that receives failure records.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use kafka_producer::{AwaitedDeliveries, DeliveryReceiver, PolledProducer};
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::FutureRecord;
use tokio::time::Instant;

use super::forms::{Form, RefusalReason, Sent};
use super::{FailureRecord, Metadata};
use crate::sources::kafka::{ClientTokens, TokenContext};

/// Time limit of a delivery to a topic, and before it of waits for room in the producer's queue.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(10);

/// Pause between two attempts to queue a record. librdkafka does not say when its queue has room: it
/// reports a delivery first and frees the place of its record then.
const FULL_QUEUE_PAUSE: Duration = Duration::from_millis(100);

/// Maximum size of a record in bytes for the producer, so that the limits of topic and broker
/// decide. A request above the broker's `socket.request.max.bytes` (100 MiB) would close the
/// connection.
const MAX_REQUEST: &str = "100000000";

/// The configuration of a producer whose records succeed or fail independently.
pub(crate) fn producer_config(mut cluster: ClientConfig) -> ClientConfig {
    cluster
        // retries within the producer neither duplicate nor reorder records
        .set("enable.idempotence", "true")
        .set("message.max.bytes", MAX_REQUEST)
        // a refused batch fails all its records: one record a batch
        .set("batch.num.messages", "1");
    cluster
}

/// A topic that receives failure records. Clones share its producer.
#[derive(Clone)]
pub(crate) struct DestinationTopic {
    producer: Arc<PolledProducer<AwaitedDeliveries<TokenContext>>>,
    name: String,
}

impl DestinationTopic {
    /// `cluster`: addresses and credentials.
    ///
    /// # Errors
    /// librdkafka rejects the configuration.
    pub(super) fn open(
        name: &str,
        cluster: ClientConfig,
        tokens: ClientTokens,
    ) -> KafkaResult<Self> {
        let mut config = producer_config(cluster);
        config
            .set("acks", "all")
            .set(
                "message.timeout.ms",
                DELIVERY_TIMEOUT.as_millis().to_string(),
            )
            // the partitioner of Java's producer, which the service uses
            .set("partitioner", "murmur2_random")
            .set("compression.type", "lz4")
            .set("linger.ms", "0");
        let context = AwaitedDeliveries::new(TokenContext::new(tokens));
        Ok(Self {
            producer: Arc::new(PolledProducer::create(config, context)?),
            name: name.to_owned(),
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Sends records in their order and waits for all results.
    ///
    /// # Errors
    /// The topic does not accept one of them at present. It may have accepted others.
    pub(super) async fn send(&self, open: &[(&FailureRecord, Form)]) -> KafkaResult<Vec<Sent>> {
        let deadline = Instant::now() + DELIVERY_TIMEOUT;
        let mut queued = Vec::with_capacity(open.len());
        for (record, form) in open {
            queued.push(self.queue(record, *form, deadline).await);
        }
        let results = queued
            .into_iter()
            .map(|queued| async move { queued?.await });
        let results = join_all(results).await;
        results
            .into_iter()
            .map(|result| {
                let Err(error) = result else {
                    return Ok(Sent::Accepted);
                };
                if let Some(refusal) = refusal(&error) {
                    return Ok(Sent::Refused(refusal, error.to_string()));
                }
                self.replace_if_fatal();
                Err(error)
            })
            .collect()
    }

    /// Queues one record. While the queue is full it waits, at most until `deadline`.
    async fn queue(
        &self,
        record: &FailureRecord,
        form: Form,
        deadline: Instant,
    ) -> KafkaResult<DeliveryReceiver> {
        loop {
            let queued = self.producer.send(self.message(record, form));
            let full = matches!(
                queued,
                Err(KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull))
            );
            if !full || Instant::now() >= deadline {
                return queued;
            }
            tokio::time::sleep(FULL_QUEUE_PAUSE).await;
        }
    }

    fn message<'r>(&'r self, record: &'r FailureRecord, form: Form) -> FutureRecord<'r, [u8], str> {
        let mut message = FutureRecord::to(&self.name).payload(form.text(record));
        match &record.metadata {
            _ if form.bare => message = message.key(record.position.as_bytes()),
            Metadata::KeyAndHeaders { key, headers } => {
                message.key = key.as_deref();
                message.headers = owned_headers(headers);
            }
            Metadata::None | Metadata::Attributes(_) => {}
        }
        message
    }

    /// Without another producer no record would be accepted until the host ends.
    fn replace_if_fatal(&self) {
        let Some(replacement) = self.producer.replace_if_fatal() else {
            return;
        };
        let topic = &self.name;
        tracing::error!(
            topic,
            code = ?replacement.code,
            reason = replacement.reason,
            "the producer of failure records had a fatal error; creating another"
        );
        if let Err(error) = replacement.created {
            tracing::error!(
                topic,
                %error,
                "cannot create a new producer of failure records; their partitions wait"
            );
        }
    }
}

/// `None`: the error does not concern the record.
fn refusal(error: &KafkaError) -> Option<RefusalReason> {
    match error.rdkafka_error_code()? {
        RDKafkaErrorCode::MessageSizeTooLarge
        | RDKafkaErrorCode::MessageBatchTooLarge
        | RDKafkaErrorCode::InvalidMessageSize => Some(RefusalReason::TooLarge),
        RDKafkaErrorCode::InvalidRecord => Some(RefusalReason::Invalid),
        _ => None,
    }
}

/// Headers for a producer; `None` if there are none.
pub(crate) fn owned_headers(headers: &[(String, Vec<u8>)]) -> Option<OwnedHeaders> {
    let add = |owned: OwnedHeaders, (key, value): &(String, Vec<u8>)| {
        owned.insert(Header {
            key,
            value: Some(value),
        })
    };
    (!headers.is_empty()).then(|| headers.iter().fold(OwnedHeaders::new(), add))
}

#[cfg(test)]
#[path = "topic_tests.rs"]
mod tests;
