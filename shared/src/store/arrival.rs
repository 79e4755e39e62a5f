//! A record of a topic on its way into Postgres.

use crate::message::OrderRequested;
use lambda_batch::Reason;

/// A record of a topic and what it decodes to.
#[derive(Debug, Clone)]
pub struct Arrival<'a, M = OrderRequested> {
    /// The topic's full name.
    pub topic: &'a str,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// The broker's log-append time, milliseconds since 1970, if the record has one.
    pub appended_ms: Option<i64>,
    /// The raw key.
    pub key: Option<&'a [u8]>,
    /// The raw value. Parked if the record cannot be stored.
    pub value: Option<&'a [u8]>,
    /// The decoded message, or why it cannot be decoded.
    pub message: Result<M, Reason>,
}

impl<'a, M: serde::de::DeserializeOwned> Arrival<'a, M> {
    /// Decodes one record of a batch. A record that cannot be decoded keeps its bytes and the
    /// reason.
    pub fn read(record: lambda_batch::KafkaRecord<'a>) -> Self {
        Self {
            topic: record.topic,
            partition: record.partition,
            offset: record.offset,
            appended_ms: record.timestamp_ms,
            key: record.key.to_park(),
            value: record.value.to_park(),
            message: record.parse_json().map_err(Reason::new),
        }
    }
}
