//! Delivers failure records to a queue or a topic.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{FutureProducer, FutureRecord};

use super::ladder::{Form, Refusal, WHOLE};
use super::{Delivered, Letter, Lost};
use crate::kafka::record::Original;
use crate::kafka::settings::LARGEST_REQUEST;
use crate::model::Destination;
use crate::sqs::{Sqs, Wrong};

/// How long a record may take to reach the destination topic before the attempt counts as failed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Letters on their way to a topic at one time.
const AT_ONCE: usize = 500;

/// A way to the destination. Cheap to clone.
#[derive(Clone)]
pub(in crate::kafka) enum Outlet {
    Queue {
        sqs: Sqs,
        name: String,
    },
    Topic {
        producer: FutureProducer,
        name: String,
    },
}

/// What came of sending one form of one letter.
enum Sent {
    Taken,
    /// The record itself is refused, in these words.
    Refused(Refusal, String),
}

impl Outlet {
    /// `client`: how the cluster is reached; `sqs`: where queues are.
    ///
    /// # Errors
    /// What is missing or cannot work.
    pub(in crate::kafka) fn new(
        destination: &Destination,
        client: ClientConfig,
        sqs: Option<&Sqs>,
    ) -> Result<Self, String> {
        match destination {
            Destination::Sqs(arn) => {
                let sqs = sqs.ok_or(
                    "its destination is a queue, and nothing says where SQS answers; write into usher.toml: [endpoints] sqs",
                )?;
                Ok(Self::Queue {
                    sqs: sqs.clone(),
                    name: crate::model::sqs::name_of(arn).to_owned(),
                })
            }
            Destination::KafkaTopic(topic) => {
                let producer = producer(client)
                    .map_err(|error| format!("no producer for its destination {topic}: {error}"))?;
                Ok(Self::Topic {
                    producer,
                    name: topic.clone(),
                })
            }
        }
    }

    /// One letter for each record, or one for all.
    pub(in crate::kafka) fn takes_each(&self) -> bool {
        matches!(self, Self::Topic { .. })
    }

    /// For messages.
    pub(in crate::kafka) fn name(&self) -> String {
        match self {
            Self::Queue { sqs, name } => format!("queue {name} at {}", sqs.endpoint()),
            Self::Topic { name, .. } => format!("topic {name}"),
        }
    }

    /// Delivers all of them, in order where they share a key; what is refused for its size or form follows in the next form.
    ///
    /// # Errors
    /// Why the destination takes nothing at present. Some may have been taken; all of them are to be delivered again.
    pub(in crate::kafka) async fn deliver(
        &self,
        letters: Vec<Letter>,
    ) -> Result<Delivered, String> {
        let mut delivered = Delivered::default();
        for letters in letters.chunks(AT_ONCE) {
            let mut open: Vec<(&Letter, Form)> =
                letters.iter().map(|letter| (letter, WHOLE)).collect();
            while !open.is_empty() {
                let sent = self.send(&open).await?;
                let mut refused = Vec::new();
                for ((letter, form), sent) in open.into_iter().zip(sent) {
                    match sent {
                        Sent::Taken => delivered.reduced += u64::from(form.is_reduced(letter)),
                        Sent::Refused(refusal, why) => match form.after(refusal, letter) {
                            Some(next) => refused.push((letter, next)),
                            None => {
                                delivered.lost.push(Lost {
                                    about: letter.about.clone(),
                                    records: letter.records as u64,
                                    why,
                                });
                            }
                        },
                    }
                }
                open = refused;
            }
        }
        Ok(delivered)
    }

    async fn send(&self, open: &[(&Letter, Form)]) -> Result<Vec<Sent>, String> {
        match self {
            Self::Queue { sqs, name } => {
                let mut sent = Vec::with_capacity(open.len());
                for (letter, form) in open {
                    sent.push(match sqs.send(name, letter.text(*form).to_owned()).await {
                        Ok(()) => Sent::Taken,
                        Err(Wrong::Refused(why)) => Sent::Refused(Refusal::TooLarge, why),
                        Err(error) => return Err(error.to_string()),
                    });
                }
                Ok(sent)
            }
            Self::Topic { producer, name } => {
                let sends = open.iter().map(|(letter, form)| async move {
                    let headers = letter
                        .original
                        .as_ref()
                        .filter(|_| !form.bare)
                        .and_then(Original::headers);
                    let mut record: FutureRecord<'_, [u8], str> =
                        FutureRecord::to(name).payload(letter.text(*form));
                    if form.bare {
                        record = record.key(letter.about.as_bytes());
                    } else if let Some(key) = letter
                        .original
                        .as_ref()
                        .and_then(|original| original.key.as_deref())
                    {
                        record = record.key(key);
                    }
                    if let Some(headers) = headers {
                        record = record.headers(headers);
                    }
                    match producer.send(record, PATIENCE).await {
                        Ok(_) => Ok(Sent::Taken),
                        Err((error, _)) => refusal(&error)
                            .map(|why| Sent::Refused(why, error.to_string()))
                            .ok_or(error.to_string()),
                    }
                });
                futures::future::join_all(sends).await.into_iter().collect()
            }
        }
    }
}

/// The refusal of a record for what it is; `None`: the topic takes nothing at present.
fn refusal(error: &KafkaError) -> Option<Refusal> {
    match error.rdkafka_error_code()? {
        RDKafkaErrorCode::MessageSizeTooLarge
        | RDKafkaErrorCode::MessageBatchTooLarge
        | RDKafkaErrorCode::InvalidMessageSize => Some(Refusal::TooLarge),
        RDKafkaErrorCode::InvalidRecord => Some(Refusal::Invalid),
        _ => None,
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
        // the topic decides what is too large, not the producer
        .set("message.max.bytes", LARGEST_REQUEST)
        // a batch that is refused takes every record in it along: each record is a batch of its own
        .set("batch.num.messages", "1")
        .set("compression.type", "lz4")
        .set("linger.ms", "0")
        .create()
}
