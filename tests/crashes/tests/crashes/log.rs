//! The log between storefront and order-create: one partition in memory, which can lose an
//! acknowledgement or a record.

use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lambda_batch::KafkaBatch;
use serde_json::json;
use shared::message::{Barrier, OrderNumber};
use storefront::kafka::{BrokerError, LogRanges, PublishOrders, Published};

/// Log-append time of all records.
const APPENDED_MS: i64 = 1_800_000_000_000;

/// How the log handles a published record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Broker {
    /// Appends and acknowledges.
    Sound,
    /// Appends, but loses the acknowledgement.
    Silent,
    /// Neither appends nor answers.
    Lossy,
    /// Refuses the record.
    Refusing,
}

#[derive(Debug)]
pub(crate) struct Log {
    topic: String,
    broker: Mutex<Broker>,
    records: Mutex<Vec<String>>,
}

impl Log {
    pub(crate) fn new(topic: String) -> Self {
        Self {
            topic,
            broker: Mutex::new(Broker::Sound),
            records: Mutex::default(),
        }
    }

    pub(crate) fn treat_as(&self, broker: Broker) {
        *self.broker.lock().unwrap_or_else(PoisonError::into_inner) = broker;
    }

    /// The event with all records from an offset on, and the offset behind them.
    pub(crate) fn event(&self, from: usize) -> (Option<KafkaBatch>, usize) {
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        let record = |(offset, text): (usize, &String)| {
            json!({
                "topic": self.topic, "partition": 0, "offset": offset, "timestamp": APPENDED_MS,
                    "timestampType": "LOG_APPEND_TIME",
                "key": STANDARD.encode("k"), "value": STANDARD.encode(text), "headers": [],
            })
        };
        let new: Vec<_> = records.iter().enumerate().skip(from).map(record).collect();
        if new.is_empty() {
            return (None, records.len());
        }
        let partition = format!("{}-0", self.topic);
        let event = json!({"eventSource": "SelfManagedKafka", "bootstrapServers": "b",
            "records": {partition: new}});
        (
            Some(serde_json::from_str(&event.to_string()).expect("a batch")),
            records.len(),
        )
    }
}

#[async_trait::async_trait]
impl PublishOrders for Log {
    async fn ready(&self) -> Result<(), BrokerError> {
        Ok(())
    }

    async fn publish(&self, _: OrderNumber, message: &str) -> Published {
        // The process can die before it sends the message,
        tokio::task::yield_now().await;
        let broker = *self.broker.lock().unwrap_or_else(PoisonError::into_inner);
        let offset = {
            let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
            if matches!(broker, Broker::Sound | Broker::Silent) {
                records.push(message.to_owned());
            }
            records.len() as i64 - 1
        };
        // and after the append, before it receives the acknowledgement.
        tokio::task::yield_now().await;
        match broker {
            Broker::Sound => Published::Acknowledged {
                partition: 0,
                offset,
                appended_ms: APPENDED_MS,
            },
            Broker::Silent | Broker::Lossy => Published::Unknown("as configured".to_owned()),
            Broker::Refusing => Published::Refused("as configured".to_owned()),
        }
    }

    async fn put_back(&self, _: &str, _: Option<&[u8]>, _: Option<&[u8]>) -> Published {
        Published::Refused("these tests park no records".to_owned())
    }

    async fn append_barrier(&self, partition: i32, barrier: &Barrier) -> Published {
        tokio::task::yield_now().await;
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        records.push(barrier.encode());
        Published::Acknowledged {
            partition,
            offset: records.len() as i64 - 1,
            appended_ms: APPENDED_MS,
        }
    }

    async fn logs(&self) -> Result<LogRanges, BrokerError> {
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(LogRanges::from([(0, 0..records.len() as i64)]))
    }
}
