//! Publishes calls through librdkafka, whose queue is the bounded one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use kafka_producer::{BrokerAccess, PolledProducer};
use rdkafka::ClientContext;
use rdkafka::client::OAuthToken;
use rdkafka::error::KafkaError;
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, ProducerContext};
use shared::api_calls::ApiCall;
use shared::message::CallInstance;
use shared::naming::Names;
use shared::telemetry::MetricLine;

use super::counter::{DeliveryCounter, DeliveryCounts};
use crate::kafka::follow_logins;
use crate::settings::Settings;

/// Delivery timeout. An older call is of little use, and its place in the queue is needed.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(30);
/// How long calls are gathered where no answer waits for them. They are appended to one partition
/// meanwhile, so one request to the broker takes all of them.
const LINGER_MS: &str = "100";

/// Publishes calls; drops those that find the queue full.
pub struct Emitter {
    names: Names,
    topic: String,
    instance: CallInstance,
    flush: Duration,
    counter: Arc<DeliveryCounter>,
    producer: Arc<PolledProducer<DeliveryContext>>,
}

/// Counts deliveries, on the producer's thread.
#[derive(Clone)]
struct DeliveryContext {
    counter: Arc<DeliveryCounter>,
    access: Arc<BrokerAccess>,
}

impl ClientContext for DeliveryContext {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(
        &self,
        _: Option<&str>,
    ) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        self.access.token()
    }

    // The producer of orders reports why the brokers refuse both.
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "librdkafka reports an error of the producer of calls");
    }
}

impl ProducerContext for DeliveryContext {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        self.counter.completed(result.is_ok());
    }
}

impl Emitter {
    /// Creates the producer; a background thread connects. Fails only on invalid settings.
    pub fn open(settings: &Settings, access: &Arc<BrokerAccess>) -> Result<Self, KafkaError> {
        let calls = &settings.calls;
        let mut config = access.config("storefront-calls");
        config
            .set("enable.idempotence", "true")
            .set("acks", "all")
            .set(
                "delivery.timeout.ms",
                DELIVERY_TIMEOUT.as_millis().to_string(),
            )
            .set("queue.buffering.max.messages", calls.queue.to_string())
            .set("compression.type", "lz4")
            .set("sticky.partitioning.linger.ms", LINGER_MS)
            // An answer that waits for its delivery does not wait for further calls.
            .set(
                "linger.ms",
                if calls.flush.is_zero() {
                    LINGER_MS
                } else {
                    "0"
                },
            );
        let counter = Arc::new(DeliveryCounter::default());
        let context = DeliveryContext {
            counter: counter.clone(),
            access: access.clone(),
        };
        let producer = Arc::new(PolledProducer::create(config, context)?);
        follow_logins(access, &producer);
        Ok(Self {
            names: settings.names.clone(),
            topic: calls.topic.clone(),
            instance: calls.instance.clone().unwrap_or_else(random_instance),
            flush: calls.flush,
            counter,
            producer,
        })
    }

    /// Name of this process in calls.
    pub fn instance(&self) -> CallInstance {
        self.instance.clone()
    }

    /// Delivered and dropped calls of this process.
    pub fn counts(&self) -> DeliveryCounts {
        self.counter.counts()
    }

    /// Number of calls that wait for the broker.
    pub fn outstanding(&self) -> u64 {
        self.counter.outstanding()
    }

    /// Queues a call, or drops it if the queue is full. Never blocks.
    pub fn emit(&self, call: &ApiCall) {
        let message = serde_json::to_vec(call).unwrap_or_else(|_| unreachable!("a call is JSON"));
        self.counter.queued();
        let record = BaseRecord::<(), [u8]>::to(&self.topic).payload(&message);
        if let Err((error, _)) = self.producer.client().send(record) {
            self.counter.completed(false);
            tracing::debug!(%error, "dropped a call");
            self.replace_if_fatal();
        }
        if let Some(report) = self.counter.due(Instant::now()) {
            MetricLine::new(&self.names)
                .count("ApiCallsSent", report.delivered)
                .count("ApiCallsDropped", report.dropped)
                .emit();
        }
    }

    /// Waits for the outstanding deliveries, at most for the flush time of the settings.
    pub async fn settle(&self) {
        self.counter.settled(self.flush).await;
    }

    /// Replaces the producer after a fatal error; its outstanding calls count as dropped.
    fn replace_if_fatal(&self) {
        let Some(replacement) = self.producer.replace_if_fatal() else {
            return;
        };
        tracing::warn!(
            code = ?replacement.code,
            reason = replacement.reason,
            "the producer of calls had a fatal error; creating another"
        );
        if let Err(error) = replacement.created {
            tracing::error!(%error, "cannot create a new producer of calls; calls are dropped");
        }
    }
}

fn random_instance() -> CallInstance {
    CallInstance::new(format!("{:016x}", rand::random::<u64>()))
        .unwrap_or_else(|_| unreachable!("16 hex digits"))
}
