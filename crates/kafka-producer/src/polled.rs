//! A producer that is replaced after a fatal error.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::{
    BaseProducer, NoCustomPartitioner, Partitioner, Producer, ProducerContext,
};
use rdkafka::types::RDKafkaErrorCode;

use crate::access::{self, Login};
use crate::thread::ProducerThread;

/// A producer with a thread of its own, which passes deliveries and errors to the context as soon
/// as they occur.
///
/// When it is dropped, outstanding messages end as failed.
pub struct PolledProducer<C, P = NoCustomPartitioner>
where
    C: ProducerContext<P> + Clone + 'static,
    P: Partitioner + Send + Sync + 'static,
{
    config: Mutex<ClientConfig>,
    context: C,
    current: Mutex<ProducerThread<C, P>>,
}

/// A producer was found to have a fatal error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replacement {
    /// Code of the fatal error.
    pub code: RDKafkaErrorCode,
    /// librdkafka's description of the fatal error.
    pub reason: String,
    /// Whether another producer takes its place. If none could be created, the old one stays and
    /// refuses every record until the next attempt.
    pub created: Result<(), KafkaError>,
}

impl<C, P> PolledProducer<C, P>
where
    C: ProducerContext<P> + Clone + 'static,
    P: Partitioner + Send + Sync + 'static,
{
    /// Creates the producer; a background thread connects. `context` is cloned for each further
    /// producer.
    ///
    /// # Errors
    /// The settings are invalid, or no thread can be started.
    pub fn create(config: ClientConfig, context: C) -> Result<Self, KafkaError> {
        let first = ProducerThread::start(&config, context.clone())?;
        Ok(Self {
            config: Mutex::new(config),
            context,
            current: Mutex::new(first),
        })
    }

    /// The producer at present. Keep it no longer than for one call: after a fatal error another
    /// one takes its place.
    pub fn client(&self) -> Arc<BaseProducer<C, P>> {
        self.current().producer().clone()
    }

    /// Creates another producer if this one has had a fatal error. Call it after a record has
    /// failed. The outstanding messages of the old producer end as failed.
    ///
    /// `None` if there is no fatal error, or if the producer is younger than a second: one without
    /// permission to write, for example, fails as soon as it has connected.
    pub fn replace_if_fatal(&self) -> Option<Replacement> {
        self.replace_if_fatal_at(Instant::now())
    }

    /// Sets the user name and password of this producer and of those that replace it. Existing
    /// connections and outstanding messages are kept.
    ///
    /// # Errors
    /// The producer's mechanism has none, or a text contains a NUL byte.
    pub fn set_login(&self, login: &Login) -> Result<(), RDKafkaErrorCode> {
        access::set_login(&mut self.config(), login);
        let producer = self.client();
        kafka_headers::set_login(producer.client(), &login.username, &login.password)
    }

    fn replace_if_fatal_at(&self, now: Instant) -> Option<Replacement> {
        let config = self.config().clone();
        let mut current = self.current();
        let (code, reason) = current.replaceable(now)?;
        let created = ProducerThread::start(&config, self.context.clone())
            .map(|producer| *current = producer);
        Some(Replacement {
            code,
            reason,
            created,
        })
    }

    fn config(&self) -> MutexGuard<'_, ClientConfig> {
        self.config.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn current(&self) -> MutexGuard<'_, ProducerThread<C, P>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use rdkafka::client::DefaultClientContext;
    use rdkafka::mocking::MockCluster;
    use rdkafka::producer::FutureRecord;
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

    use super::*;
    use crate::thread::MIN_AGE;
    use crate::{AwaitedDeliveries, StickyPartitions};

    type TestProducer = PolledProducer<AwaitedDeliveries<DefaultClientContext>>;

    fn producer(brokers: &str) -> TestProducer {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", brokers)
            .set("enable.idempotence", "true");
        let context = AwaitedDeliveries::new(DefaultClientContext);
        PolledProducer::create(config, context).expect("valid settings")
    }

    fn record() -> FutureRecord<'static, str, str> {
        FutureRecord::to("topic").key("key").payload("message")
    }

    #[tokio::test]
    async fn outstanding_messages_of_a_dropped_producer_fail() {
        let producer = producer("127.0.0.1:9"); // nothing listens there
        let delivery = producer.send(record()).expect("queued");
        let later = producer.current().created + MIN_AGE;
        assert_eq!(producer.replace_if_fatal_at(later), None, "no fatal error");
        drop(producer);
        assert!(delivery.await.is_err());
    }

    #[tokio::test]
    async fn a_failed_producer_is_replaced_but_not_at_once() {
        let brokers = MockCluster::new(1).expect("brokers in this process");
        brokers
            .create_topic("topic", 1, 1)
            .expect("a topic of the mock brokers");
        brokers.request_errors(
            RDKafkaApiKey::InitProducerId,
            &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED],
        );
        let producer = producer(&brokers.bootstrap_servers());
        let failed = producer.send(record()).expect("queued").await;
        assert!(failed.is_err(), "{failed:?}");
        assert!(producer.send(record()).is_err(), "refused for good");
        let created = producer.current().created;
        assert_eq!(producer.replace_if_fatal_at(created + MIN_AGE / 2), None);
        let replacement = producer
            .replace_if_fatal_at(created + MIN_AGE)
            .expect("a fatal error");
        assert_eq!(
            (replacement.code, replacement.created),
            (RDKafkaErrorCode::ClusterAuthorizationFailed, Ok(()))
        );
        let delivery = producer.send(record()).expect("another producer");
        let delivery = delivery.await.expect("acknowledged");
        assert_eq!((delivery.partition, delivery.offset), (0, 0));
    }

    #[tokio::test]
    async fn records_of_one_window_share_a_partition_whatever_their_keys() {
        let brokers = MockCluster::new(1).expect("brokers in this process");
        brokers
            .create_topic("topic", 4, 1)
            .expect("a topic of the mock brokers");
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", brokers.bootstrap_servers());
        let sticky = StickyPartitions::new(Duration::from_hours(1));
        let context = AwaitedDeliveries::with_partitioner(DefaultClientContext, Some(sticky));
        let producer = PolledProducer::create(config, context).expect("valid settings");
        let mut partitions = BTreeSet::new();
        for key in ["a", "b", "c", "d", "e", "f", "g", "h"] {
            let delivery = producer.send(record().key(key)).expect("queued");
            partitions.insert(delivery.await.expect("acknowledged").partition);
        }
        assert_eq!(partitions.len(), 1, "{partitions:?}");
        for partition in 0..4 {
            let delivery = producer.send(record().partition(partition));
            let delivery = delivery.expect("queued").await.expect("acknowledged");
            assert_eq!(delivery.partition, partition, "the record names it");
        }
    }
}
