//! Kafka events of Lambda: `eventSource` `aws:kafka` and `SelfManagedKafka` alike.
//!
//! Values and keys arrive as base64 in JSON. A [`KafkaBatch`] decodes them *while* the JSON is read, all into one buffer with spans, so
//! that a batch of 10,000 records costs a few allocations; it owns what it decoded, as Lambda's runtime asks.
//!
//! Tolerated, each on its own record: missing or null headers, signed and unsigned header bytes, a null key, a tombstone, bad
//! base64, numbers as text, timestamps that are -1, fractional or missing, unknown fields. An event is refused as a whole only if
//! it is no Kafka event, or if a record has no topic, partition or offset: nothing could be acknowledged then.

mod batch;
mod canonical;
mod decode;
mod number;
mod record;

#[cfg(test)]
mod tests;

pub use batch::KafkaBatch;
pub use record::{KafkaRecord, Payload};
