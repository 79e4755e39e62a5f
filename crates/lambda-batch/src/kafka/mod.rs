//! Kafka events of Lambda: `eventSource` `aws:kafka` and `SelfManagedKafka` alike.
//!
//! Keys and values are base64 in JSON. A [`KafkaBatch`] decodes them *while* the JSON is read, all
//! into one buffer that it owns. A batch of 10,000 records as Lambda writes it takes a few
//! allocations.
//!
//! Tolerated, each on its own record: missing or null headers, signed and unsigned header bytes, a
//! null key, a tombstone, bad base64, numbers as text, timestamps that are -1, fractional or
//! missing, unknown fields. An event is refused as a whole only if it is not a Kafka event, or if a
//! record has no topic, partition or offset: it could not be acknowledged then.

mod batch;
mod canonical;
mod decode;
mod record;

#[cfg(test)]
mod tests;

pub use batch::KafkaBatch;
pub use record::{KafkaRecord, Payload};
