//! One producer of librdkafka with the thread that handles its events.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::producer::{
    BaseProducer, NoCustomPartitioner, Partitioner, Producer, ProducerContext, PurgeConfig,
};
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
pub(crate) const MIN_AGE: Duration = Duration::from_secs(1);

/// A setting of topics.
const TOPIC_SETTING: &str = "compression.level";

/// A producer with its thread. Deliveries and errors reach the context on that thread.
pub(crate) struct ProducerThread<C, P = NoCustomPartitioner>
where
    C: ProducerContext<P> + 'static,
    P: Partitioner + Send + Sync + 'static,
{
    producer: Arc<BaseProducer<C, P>>,
    closed: Arc<AtomicBool>,
    pub(crate) created: Instant,
}

impl<C, P> ProducerThread<C, P>
where
    C: ProducerContext<P> + 'static,
    P: Partitioner + Send + Sync + 'static,
{
    pub(crate) fn start(config: &ClientConfig, context: C) -> Result<Self, KafkaError> {
        let mut config = config.clone();
        // rdkafka writes its partitioner into the configuration of topics without checking that there
        // is one: librdkafka creates it with the first setting of topics. This is the default's value.
        if context.get_custom_partitioner().is_some() && config.get(TOPIC_SETTING).is_none() {
            config.set(TOPIC_SETTING, "-1");
        }
        let producer: Arc<BaseProducer<C, P>> = Arc::new(config.create_with_context(context)?);
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

    pub(crate) fn producer(&self) -> &Arc<BaseProducer<C, P>> {
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

impl<C, P> Drop for ProducerThread<C, P>
where
    C: ProducerContext<P> + 'static,
    P: Partitioner + Send + Sync + 'static,
{
    /// Outstanding messages end as failed. Does not wait for that: the thread closes the producer.
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
        let all = PurgeConfig::default().queue().inflight().non_blocking();
        self.producer.purge(all);
    }
}
