//! Producers of records that must not be lost.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaResult;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::FutureProducer;

/// Time limit of a delivery to a topic.
pub(super) const DELIVERY_TIMEOUT: Duration = Duration::from_secs(10);

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

pub(super) fn destination_producer(cluster: ClientConfig) -> KafkaResult<FutureProducer> {
    producer_config(cluster)
        .set("acks", "all")
        .set(
            "message.timeout.ms",
            DELIVERY_TIMEOUT.as_millis().to_string(),
        )
        // the partitioner of Java's producer, which the service uses
        .set("partitioner", "murmur2_random")
        .set("compression.type", "lz4")
        .set("linger.ms", "0")
        .create()
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
