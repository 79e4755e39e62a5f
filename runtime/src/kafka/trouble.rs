//! Errors that Kafka reports while a mapping reads: each is logged once with its place and a remedy, then counted, and shown by `/health`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::consumer::{Context, MappingConsumer};
use crate::observation::Repeats;
use event_sources::health::{SourceProblem, SourceState};
use event_sources::stream::{Offset, Partition};

/// An error of a partition that has not come again for so long is over, although no record came either.
const OVER: Duration = Duration::from_secs(60);

/// How often it is looked whether one is over.
const LOOK: Duration = Duration::from_secs(1);

/// The longest wait for the committed offset of a partition that nothing was read of yet.
const PATIENCE: Duration = Duration::from_secs(1);

/// The errors of one consumer, by partition; those of no partition concern the whole mapping.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    repeats: Repeats<Option<Partition>>,
    /// What was read last of each partition.
    read: BTreeMap<Partition, Offset>,
    looked: Option<Instant>,
}

impl Trouble {
    /// Everything up to this offset was read.
    pub(super) fn read(&mut self, partition: Partition, end: Option<Offset>) {
        if let Some(end) = end {
            self.read.insert(partition, end);
        }
    }

    /// An error came instead of a record.
    pub(super) fn failed(
        &mut self,
        now: Instant,
        partition: Option<Partition>,
        error: &KafkaError,
        consumer: &MappingConsumer,
    ) {
        let context = consumer.context();
        let Some(code) = error
            .rdkafka_error_code()
            .filter(|code| !is_the_connections(*code))
        else {
            return;
        };
        let Some(times) = self.repeats.failed(now, partition, &code.to_string()) else {
            return;
        };
        let mapping = &context.mapping;
        let remedy = remedy(code);
        let reason = context.reason().unwrap_or_else(|| code.to_string());
        let Some(partition) = partition else {
            tracing::error!(
                alarm = "kafka_error",
                mapping,
                times,
                "Kafka reports an error: {reason}. {remedy}"
            );
            if lasts(code) {
                let reason = format!("Kafka reports an error: {reason}. {remedy}");
                context.progress.report(
                    None,
                    Some(SourceProblem {
                        state: state(code),
                        reason,
                    }),
                );
            }
            return;
        };
        let topic = &context.topics[partition.topic];
        let next = self
            .read
            .get(&partition)
            .map(|last| last + 1)
            .or_else(|| committed(consumer, topic, partition.number));
        let place = next.map_or_else(
            || format!("{topic}-{}", partition.number),
            |next| format!("{topic}-{} from offset {next} on", partition.number),
        );
        tracing::error!(
            alarm = "partition_unreadable",
            mapping,
            topic,
            partition = partition.number,
            offset = next,
            times,
            "{place} cannot be read: {reason}. The partition waits. {remedy}"
        );
        let reason = format!("{place} cannot be read: {reason}. {remedy}");
        context.progress.report(
            Some(partition),
            Some(SourceProblem {
                state: state(code),
                reason,
            }),
        );
    }

    /// A record was read.
    pub(super) fn over(&mut self, partition: Option<Partition>, context: &Context) {
        if !self.repeats.is_empty() {
            self.end(partition, context);
            self.end(None, context);
        }
    }

    /// A partition is this host's: the group works.
    pub(super) fn came(&mut self, partition: Partition, context: &Context) {
        self.read.remove(&partition);
        self.over(Some(partition), context);
        context.progress.problem(None, None);
    }

    /// A partition is not this host's any more.
    pub(super) fn went(&mut self, partition: Partition, context: &Context) {
        self.read.remove(&partition);
        self.repeats.over(&Some(partition));
        context.progress.problem(Some(partition), None);
    }

    /// Ends errors that do not come again.
    pub(super) fn look(&mut self, now: Instant, context: &Context) {
        if self.repeats.is_empty()
            || self
                .looked
                .is_some_and(|looked| now.saturating_duration_since(looked) < LOOK)
        {
            return;
        }
        self.looked = Some(now);
        for partition in self.repeats.expire(now, OVER).into_iter().flatten() {
            context.progress.problem(Some(partition), None);
        }
    }

    fn end(&mut self, partition: Option<Partition>, context: &Context) {
        let Some(errors) = self.repeats.over(&partition) else {
            return;
        };
        context.progress.problem(partition, None);
        if let Some(partition) = partition {
            let topic = &context.topics[partition.topic];
            tracing::info!(
                mapping = context.mapping,
                topic,
                partition = partition.number,
                errors,
                "the partition is read again"
            );
        }
    }
}

/// A connection that fails is no error of the mapping: that Kafka is away is logged once by the context.
fn is_the_connections(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::{AllBrokersDown, BrokerTransportFailure, Resolve};
    matches!(code, AllBrokersDown | BrokerTransportFailure | Resolve)
}

/// librdkafka reports it once and not again while it lasts.
fn lasts(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::{
        GroupAuthorizationFailed, TopicAuthorizationFailed, UnknownTopic, UnknownTopicOrPartition,
    };
    matches!(
        code,
        UnknownTopic
            | UnknownTopicOrPartition
            | TopicAuthorizationFailed
            | GroupAuthorizationFailed
    )
}

/// What an error makes of its partition or mapping.
fn state(code: RDKafkaErrorCode) -> SourceState {
    match code {
        RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition => {
            SourceState::Missing
        }
        _ => SourceState::Stuck,
    }
}

fn remedy(code: RDKafkaErrorCode) -> &'static str {
    use RDKafkaErrorCode as Code;
    match code {
        Code::NotImplemented => {
            "This build of librdkafka has no such codec; have the producer use another, and pass over the batch: usher offsets seek"
        }
        Code::BadMessage
        | Code::BadCompression
        | Code::InvalidMessage
        | Code::InvalidMessageSize => {
            "The batch is damaged in the broker's log; restore the log, or pass over the batch: usher offsets seek"
        }
        Code::UnknownTopic | Code::UnknownTopicOrPartition => {
            "Create the topic, or correct its name in the template; it is read once it is there"
        }
        Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed => {
            "Let the login of this mapping read the topic and use the consumer group"
        }
        _ => "It is tried until it succeeds",
    }
}

/// The offset that the group has committed, if the broker says so in time.
fn committed(consumer: &MappingConsumer, topic: &str, partition: i32) -> Option<Offset> {
    let mut list = TopicPartitionList::new();
    list.add_partition(topic, partition);
    match consumer
        .committed_offsets(list, PATIENCE)
        .ok()?
        .find_partition(topic, partition)?
        .offset()
    {
        rdkafka::Offset::Offset(offset) => Some(offset),
        _ => None,
    }
}
