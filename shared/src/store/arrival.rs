//! A record of a topic on its way into Postgres.

use lambda_batch::Reason;

use crate::message::OrderRequested;
use crate::sale::is_storable;

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

impl Arrival<'_> {
    /// Refuses a record that was appended too long after its order was made: the row that would
    /// forbid the order may be deleted. `ended_days` is how long such rows are kept. A record without
    /// a log-append time is not refused: every topic of orders has them.
    #[must_use]
    pub fn storable_within(mut self, ended_days: u16) -> Self {
        if let (Ok(order), Some(appended_ms)) = (&self.message, self.appended_ms)
            && !is_storable(order.order, appended_ms, ended_days)
        {
            self.message = Err(Reason::new(format!(
                "too late: rows of ended orders are kept for {ended_days} days, so an order of this \
                 age may have ended before"
            )));
        }
        self
    }
}
