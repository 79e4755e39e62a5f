//! A producer whose events are handled by a thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, Producer, ProducerContext, PurgeConfig};
use rdkafka::types::RDKafkaErrorCode;

/// How long one poll of the thread lasts. It returns only at its end, so a dropped producer is
/// closed after this time at most.
///
/// The poll passes its remaining time to librdkafka in whole milliseconds. In its last millisecond
/// it therefore does not wait but spins: with the 100 ms of rdkafka's own `ThreadedProducer`, up to
/// 1 % of a core for each producer, also for an idle one.
const POLL_TIME: Duration = Duration::from_secs(5);

/// Minimum age of a producer that is replaced. Without permission to write, for example, each new
/// producer fails as soon as it has connected: requests would create them without end, and each
/// keeps its threads for [`POLL_TIME`] after it is dropped.
const MIN_AGE: Duration = Duration::from_secs(1);

/// A producer with its thread. Deliveries and errors reach the context on that thread, as soon as
/// they occur.
pub(crate) struct PolledProducer<C: ProducerContext + 'static> {
    producer: Arc<BaseProducer<C>>,
    closed: Arc<AtomicBool>,
    created: Instant,
}

impl<C: ProducerContext + 'static> PolledProducer<C> {
    /// Creates the producer; a background thread connects. Fails on invalid settings, or if no
    /// thread can be started.
    pub(crate) fn create(config: &ClientConfig, context: C) -> Result<Self, KafkaError> {
        let producer: Arc<BaseProducer<C>> = Arc::new(config.create_with_context(context)?);
        let closed = Arc::new(AtomicBool::new(false));
        let (polled, is_closed) = (producer.clone(), closed.clone());
        std::thread::Builder::new()
            .name("kafka-polling".to_owned())
            .spawn(move || {
                while !is_closed.load(Ordering::Relaxed) {
                    polled.poll(POLL_TIME);
                }
            })
            .map_err(|error| KafkaError::ClientCreation(error.to_string()))?;
        Ok(Self {
            producer,
            closed,
            created: Instant::now(),
        })
    }

    /// The producer, to send with.
    pub(crate) fn client(&self) -> &BaseProducer<C> {
        &self.producer
    }

    /// The fatal error for which another producer should replace this one at time `now`. `None` if
    /// it has none, or if it was created less than [`MIN_AGE`] ago.
    pub(crate) fn replaceable(&self, now: Instant) -> Option<(RDKafkaErrorCode, String)> {
        let error = self.producer.client().fatal_error()?;
        let age = now.saturating_duration_since(self.created);
        (age >= MIN_AGE).then_some(error)
    }
}

impl<C: ProducerContext + 'static> Drop for PolledProducer<C> {
    /// Outstanding messages end as failed. Does not wait for that: the thread closes the producer.
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
        let all = PurgeConfig::default().queue().inflight().non_blocking();
        self.producer.purge(all);
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::ClientContext;
    use rdkafka::message::DeliveryResult;
    use rdkafka::mocking::MockCluster;
    use rdkafka::producer::BaseRecord;
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
    use tokio::sync::oneshot;

    use super::*;

    struct Deliveries;

    impl ClientContext for Deliveries {}

    impl ProducerContext for Deliveries {
        type DeliveryOpaque = Box<oneshot::Sender<bool>>;

        fn delivery(&self, result: &DeliveryResult<'_>, delivered: Self::DeliveryOpaque) {
            let _ = delivered.send(result.is_ok());
        }
    }

    fn send(producer: &PolledProducer<Deliveries>) -> oneshot::Receiver<bool> {
        let (sender, delivered) = oneshot::channel();
        let record = BaseRecord::<(), str, _>::with_opaque_to("topic", Box::new(sender));
        let queued = producer.client().send(record.payload("message"));
        assert!(queued.is_ok());
        delivered
    }

    #[tokio::test]
    async fn outstanding_messages_of_a_dropped_producer_fail() {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", "127.0.0.1:9"); // nothing listens there
        let producer = PolledProducer::create(&config, Deliveries).expect("valid settings");
        let delivered = send(&producer);
        let later = producer.created + MIN_AGE;
        assert_eq!(producer.replaceable(later), None, "no fatal error");
        drop(producer);
        assert_eq!(delivered.await, Ok(false));
    }

    #[tokio::test]
    async fn a_new_producer_that_fails_is_not_replaced() {
        let brokers = MockCluster::new(1).expect("brokers in this process");
        brokers.request_errors(
            RDKafkaApiKey::InitProducerId,
            &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED],
        );
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", brokers.bootstrap_servers())
            .set("enable.idempotence", "true");
        let producer = PolledProducer::create(&config, Deliveries).expect("valid settings");
        assert_eq!(send(&producer).await, Ok(false));
        let replaceable = |age| producer.replaceable(producer.created + age);
        assert_eq!(replaceable(MIN_AGE / 2), None);
        let (code, _) = replaceable(MIN_AGE).expect("a fatal error");
        assert_eq!(code, RDKafkaErrorCode::ClusterAuthorizationFailed);
    }
}
