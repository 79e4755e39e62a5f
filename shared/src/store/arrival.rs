//! A record on its way into Postgres, read or not.

use crate::message::OrderRequested;
use lambda_batch::Reason;

/// One record of a topic, read or not.
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
    /// The key as it came.
    pub key: Option<&'a [u8]>,
    /// The value as it came: what is parked if the record cannot be stored.
    pub value: Option<&'a [u8]>,
    /// What it says, or why it cannot be read.
    pub message: Result<M, Reason>,
}

impl<'a, M: serde::de::DeserializeOwned> Arrival<'a, M> {
    /// A record of a batch, read on its own: one that cannot be read carries its reason and its bytes.
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
