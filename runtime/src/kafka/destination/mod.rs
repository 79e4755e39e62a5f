//! Where records go that a mapping gives up: a queue, or a topic of the same cluster.
//!
//! `history` remembers what was tried with the records of each partition; when the machine gives some up, `document` writes
//! what the service would tell of them, and the [`Outlet`] delivers it.
//!
//! Promises: the answer is yes only after the queue or the brokers have everything; asked again, it sends again, so a letter
//! may come twice and is never lost; the partition waits meanwhile.

mod document;
mod history;
#[cfg(test)]
pub(super) mod tests;

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};

use super::record::Original;
use crate::model::Destination;
use crate::sqs::Sqs;
pub(super) use document::{Context, GivenUp, letters};
pub(super) use history::{History, Tried};

/// How long a record may take to reach the destination topic before the attempt counts as failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Letters on their way to a topic at one time.
const AT_ONCE: usize = 500;

/// What is delivered for records that were given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Letter {
    /// The document.
    pub(super) body: String,
    /// The record that it is about; only where there is a letter for each.
    pub(super) original: Option<Original>,
}

/// A way to the destination. Cheap to clone.
#[derive(Clone)]
pub(super) enum Outlet {
    Queue { sqs: Sqs, name: String },
    Topic { producer: FutureProducer, name: String },
}

impl Outlet {
    /// `client`: how the cluster is reached; `sqs`: where queues are.
    ///
    /// # Errors
    /// What is missing or cannot work.
    pub(super) fn new(destination: &Destination, client: ClientConfig, sqs: Option<&Sqs>) -> Result<Self, String> {
        match destination {
            Destination::Sqs(arn) => {
                let sqs = sqs.ok_or(
                    "its destination is a queue, and nothing says where SQS answers; write into usher.toml: [endpoints] sqs",
                )?;
                Ok(Self::Queue { sqs: sqs.clone(), name: crate::model::sqs::name_of(arn).to_owned() })
            }
            Destination::KafkaTopic(topic) => {
                let producer = producer(client).map_err(|error| format!("no producer for its destination {topic}: {error}"))?;
                Ok(Self::Topic { producer, name: topic.clone() })
            }
        }
    }

    /// One letter for each record, or one for all.
    pub(super) fn takes_each(&self) -> bool {
        matches!(self, Self::Topic { .. })
    }

    /// For messages.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Queue { sqs, name } => format!("queue {name} at {}", sqs.endpoint()),
            Self::Topic { name, .. } => format!("topic {name}"),
        }
    }

    /// Delivers all of them, in order where they share a key.
    ///
    /// # Errors
    /// Why the first of those that were not taken was not. Some may have been.
    pub(super) async fn deliver(&self, letters: Vec<Letter>) -> Result<(), String> {
        match self {
            Self::Queue { sqs, name } => {
                for letter in letters {
                    sqs.send(name, letter.body).await.map_err(|error| error.to_string())?;
                }
            }
            Self::Topic { producer, name } => {
                for letters in letters.chunks(AT_ONCE) {
                    let sends = letters.iter().map(|letter| {
                        let mut record: FutureRecord<'_, [u8], String> = FutureRecord::to(name).payload(&letter.body);
                        let original = letter.original.as_ref();
                        if let Some(key) = original.and_then(|original| original.key.as_deref()) {
                            record = record.key(key);
                        }
                        if let Some(headers) = original.and_then(Original::headers) {
                            record = record.headers(headers);
                        }
                        producer.send(record, PATIENCE)
                    });
                    for sent in futures::future::join_all(sends).await {
                        sent.map_err(|(error, _)| error.to_string())?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn producer(mut client: ClientConfig) -> rdkafka::error::KafkaResult<FutureProducer> {
    client
        // no letter twice because of a retry within the producer, and none overtakes another
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("message.timeout.ms", PATIENCE.as_millis().to_string())
        // as Java's producer does, with which the service speaks: equal keys meet in one partition
        .set("partitioner", "murmur2_random")
        .set("message.max.bytes", "16777216")
        .set("compression.type", "lz4")
        .set("linger.ms", "5")
        .create()
}
