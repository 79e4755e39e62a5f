//! Sends failure records to a queue or a topic.

use std::fmt;

use rdkafka::ClientConfig;
use rdkafka::error::KafkaError;
use sam_template::model::Destination;
use sam_template::model::sqs::name_of;

use super::forms::{Form, RefusalReason, Sent};
use super::topic::DestinationTopic;
use super::{Delivered, FailureRecord, Metadata, RefusedRecord};
use crate::sources::kafka::ClientTokens;
use crate::sources::sqs::{Sqs, SqsError, text};

/// Maximum of failure records in flight to a topic.
const CONCURRENCY: usize = 500;

/// A client of one destination. Cheap to clone.
#[derive(Clone)]
pub(crate) enum DestinationClient {
    Queue { sqs: Sqs, name: String },
    Topic(DestinationTopic),
}

/// Why a destination cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DestinationError {
    /// The settings name no SQS server.
    #[error(
        "a destination is a queue, and no SQS endpoint is set; write into usher.toml: \
         [endpoints] sqs"
    )]
    NoEndpoint,
    /// librdkafka rejects the configuration.
    #[error("no producer for the destination {topic}: {source}")]
    Producer {
        /// Name of the topic.
        topic: String,
        /// The reason.
        source: KafkaError,
    },
    /// The destination is a function, which takes no failure records.
    #[error("{0} is no queue")]
    NotAQueue(String),
    /// The queue accepts nothing at present.
    #[error(transparent)]
    Queue(#[from] SqsError),
    /// The topic accepts nothing at present.
    #[error(transparent)]
    Topic(#[from] KafkaError),
}

impl fmt::Display for DestinationClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Queue { sqs, name } => write!(f, "queue {name} at {}", sqs.endpoint()),
            Self::Topic(topic) => write!(f, "topic {}", topic.name()),
        }
    }
}

impl DestinationClient {
    /// `cluster`: addresses and credentials of the Kafka cluster of a topic, and its tokens.
    pub(crate) fn new(
        destination: &Destination,
        (cluster, tokens): (ClientConfig, ClientTokens),
        sqs: Option<&Sqs>,
    ) -> Result<Self, DestinationError> {
        match destination {
            Destination::Sqs(arn) => Self::queue(arn, sqs),
            Destination::KafkaTopic(topic) => {
                let opened = DestinationTopic::open(topic, cluster, tokens);
                let opened = opened.map_err(|source| DestinationError::Producer {
                    topic: topic.clone(),
                    source,
                })?;
                Ok(Self::Topic(opened))
            }
        }
    }

    /// A client of the queue with this ARN.
    pub(crate) fn queue(arn: &str, sqs: Option<&Sqs>) -> Result<Self, DestinationError> {
        Ok(Self::Queue {
            sqs: sqs.ok_or(DestinationError::NoEndpoint)?.clone(),
            name: name_of(arn).to_owned(),
        })
    }

    /// A topic receives a failure record for each discarded record, a queue one for all of them.
    pub(crate) fn is_topic(&self) -> bool {
        matches!(self, Self::Topic(_))
    }

    /// Delivers all failure records; those with equal keys stay in order. A refused one is sent
    /// again in its next form.
    ///
    /// # Errors
    /// [`DestinationError::Queue`] or [`DestinationError::Topic`]: some may have been accepted, all have to be delivered
    /// again.
    pub(crate) async fn deliver(
        &self,
        records: Vec<FailureRecord>,
    ) -> Result<Delivered, DestinationError> {
        let mut delivered = Delivered::default();
        for records in records.chunks(CONCURRENCY) {
            let mut open: Vec<(&FailureRecord, Form)> = records
                .iter()
                .map(|record| (record, Form::COMPLETE))
                .collect();
            while !open.is_empty() {
                let sent = self.send(&open).await?;
                let mut again = Vec::new();
                for ((record, form), sent) in open.into_iter().zip(sent) {
                    match sent {
                        Sent::Accepted => delivered.reduced += u64::from(form.is_reduced(record)),
                        Sent::Refused(refusal, why) => match form.after(refusal, record) {
                            Some(next) => again.push((record, next)),
                            None => delivered.refused.push(RefusedRecord {
                                position: record.position.clone(),
                                records: record.records,
                                why,
                            }),
                        },
                    }
                }
                open = again;
            }
        }
        Ok(delivered)
    }

    async fn send(&self, open: &[(&FailureRecord, Form)]) -> Result<Vec<Sent>, DestinationError> {
        match self {
            Self::Queue { sqs, name } => {
                let mut sent = Vec::with_capacity(open.len());
                for (record, form) in open {
                    sent.push(send_message(sqs, name, record, *form).await?);
                }
                Ok(sent)
            }
            Self::Topic(topic) => Ok(topic.send(open).await?),
        }
    }
}

async fn send_message(
    sqs: &Sqs,
    queue: &str,
    record: &FailureRecord,
    form: Form,
) -> Result<Sent, DestinationError> {
    let attributes = match &record.metadata {
        Metadata::Attributes(attributes) if !form.bare => attributes.as_slice(),
        _ => &[],
    };
    let body = text::escape_json(form.text(record).to_owned());
    match sqs.send_with(queue, body, attributes).await {
        Ok(()) => Ok(Sent::Accepted),
        Err(SqsError::Refused(why)) => Ok(Sent::Refused(RefusalReason::TooLarge, why)),
        Err(error) => Err(error.into()),
    }
}
