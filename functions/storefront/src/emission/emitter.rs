//! Calls to Kafka over librdkafka, whose own queue is the bounded one.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use shared::message::{ApiCall, CallInstance};
use shared::naming::Names;
use shared::telemetry::MetricLine;

use super::tally::{Counts, Tally};
use crate::kafka::client_config;
use crate::settings::Settings;

/// A call that the broker has not taken for so long is dropped: what is older is of little use, and its place is needed.
const DELIVERY: Duration = Duration::from_secs(30);
/// How long calls are gathered where nobody waits for them.
const LINGER_MS: &str = "20";

/// Sends calls, as long as there is room.
pub struct Emitter {
    names: Names,
    topic: String,
    instance: CallInstance,
    flush: Duration,
    config: ClientConfig,
    tally: Arc<Tally>,
    producer: Mutex<Arc<ThreadedProducer<Deliveries>>>,
}

/// Hears of deliveries, on the producer's own thread.
struct Deliveries(Arc<Tally>);

impl ClientContext for Deliveries {
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "kafka, of calls");
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        self.0.ended(result.is_ok());
    }
}

impl Emitter {
    /// Prepares a producer; a background thread connects. Fails only on unusable settings.
    pub fn open(settings: &Settings) -> Result<Self, KafkaError> {
        let calls = &settings.calls;
        let mut config = client_config(&settings.brokers, &settings.security, "storefront-calls");
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set("delivery.timeout.ms", DELIVERY.as_millis().to_string())
            .set("queue.buffering.max.messages", calls.queue.to_string())
            .set("compression.type", "lz4")
            // Whoever waits for a delivery waits for this one.
            .set(
                "linger.ms",
                if calls.flush.is_zero() {
                    LINGER_MS
                } else {
                    "0"
                },
            );
        let tally = Arc::new(Tally::default());
        let producer = Mutex::new(create(&config, &tally)?);
        let instance = calls.instance.clone().unwrap_or_else(random_instance);
        let names = settings.names.clone();
        let topic = calls.topic.clone();
        Ok(Self {
            names,
            topic,
            instance,
            flush: calls.flush,
            config,
            tally,
            producer,
        })
    }

    /// The process that answers, as calls name it.
    pub fn instance(&self) -> CallInstance {
        self.instance.clone()
    }

    /// What became of the calls of this process.
    pub fn counts(&self) -> Counts {
        self.tally.counts()
    }

    /// Calls that wait for the broker.
    pub fn outstanding(&self) -> u64 {
        self.tally.outstanding()
    }

    /// Sends a call, or drops it where there is no room. Never waits.
    pub fn emit(&self, call: &ApiCall) {
        let message = serde_json::to_vec(call).unwrap_or_else(|_| unreachable!("a call is JSON"));
        let producer = self
            .producer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        self.tally.handed_over();
        if let Err((error, _)) =
            producer.send(BaseRecord::<(), [u8]>::to(&self.topic).payload(&message))
        {
            self.tally.ended(false);
            tracing::debug!(%error, "a call was dropped");
            self.replace_if_fatal(&producer);
        }
        if let Some(report) = self.tally.due(Instant::now()) {
            MetricLine::new(&self.names)
                .count("ApiCallsSent", report.delivered)
                .count("ApiCallsDropped", report.dropped)
                .emit();
        }
    }

    /// Waits for deliveries, as long as the settings say and there is hope.
    pub async fn settle(&self) {
        self.tally.settled(self.flush).await;
    }

    /// Replaces a producer that can never send again; what it still had out counts as dropped.
    fn replace_if_fatal(&self, used: &ThreadedProducer<Deliveries>) {
        let Some((code, reason)) = used.client().fatal_error() else {
            return;
        };
        let mut current = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        if current.client().fatal_error().is_none() {
            return;
        }
        tracing::warn!(
            ?code,
            reason,
            "the producer of calls failed for good; making another"
        );
        match create(&self.config, &self.tally) {
            Ok(producer) => {
                let old = std::mem::replace(&mut *current, producer);
                // Its end takes a moment, which is nobody's to wait for.
                std::thread::spawn(move || drop(old));
            }
            Err(error) => tracing::error!(%error, "no new producer of calls"),
        }
    }
}

fn create(
    config: &ClientConfig,
    tally: &Arc<Tally>,
) -> Result<Arc<ThreadedProducer<Deliveries>>, KafkaError> {
    config
        .create_with_context(Deliveries(tally.clone()))
        .map(Arc::new)
}

fn random_instance() -> CallInstance {
    CallInstance::new(format!("{:016x}", rand::random::<u64>()))
        .unwrap_or_else(|_| unreachable!("16 hex digits"))
}
