//! Read errors of a mapping: each is logged once with its position and remedy, then counted, and
//! part of `/health`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use event_sources::health::{SourceProblem, SourceState};
use event_sources::stream::{Offset, Partition};
use rdkafka::consumer::Consumer as _;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::consumer::{MappingConsumer, MappingContext};
use super::reader::committed;
use crate::observation::Repeats;

/// An error of a partition that has not occurred for this time has ended, even without a new
/// record.
const EXPIRY: Duration = Duration::from_secs(60);

/// Interval of checks for expired errors.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Time limit for the committed offset of a partition without a read record.
const PATIENCE: Duration = Duration::from_secs(1);

/// The errors of one consumer, by partition. `None`: errors of the whole mapping.
#[derive(Debug, Default)]
pub(super) struct ReadErrors {
    repeats: Repeats<Option<Partition>>,
    /// Last read offset of each partition.
    read: BTreeMap<Partition, Offset>,
    checked: Option<Instant>,
}

impl ReadErrors {
    /// Notes the last read offset.
    pub(super) fn read(&mut self, partition: Partition, end: Option<Offset>) {
        if let Some(end) = end {
            self.read.insert(partition, end);
        }
    }

    /// Reports an error that the consumer returned instead of a record.
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
            .filter(|code| !is_connection_error(*code))
        else {
            return;
        };
        let Some(times) = self.repeats.failed(now, partition, &code.to_string()) else {
            return;
        };
        let mapping = &context.mapping.id;
        let remedy = remedy(code);
        let reason = context.reason().unwrap_or_else(|| code.to_string());
        let problem = |reason| SourceProblem {
            state: state(code),
            reason,
        };
        let Some(partition) = partition else {
            let reason = format!("Kafka reports an error: {reason}. {remedy}");
            tracing::error!(alarm = "kafka_error", mapping, times, "{reason}");
            if is_reported_once(code) {
                context.progress.report(None, Some(problem(reason)));
            }
            return;
        };
        let topic = &context.mapping.topics[partition.topic];
        if code == RDKafkaErrorCode::UnknownPartition {
            tracing::warn!(
                mapping,
                topic,
                partition = partition.number,
                "the topic {topic} has no partition {}: it was created again with fewer. The group \
                 still assigns the partition to this host, which reads it as soon as it exists",
                partition.number
            );
            return;
        }
        let next = self.read.get(&partition).map(|last| last + 1).or_else(|| {
            committed(consumer, topic, partition.number, PATIENCE)
                .ok()
                .flatten()
        });
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
        let problem = problem(format!("{place} cannot be read: {reason}. {remedy}"));
        context.progress.report(Some(partition), Some(problem));
    }

    /// Ends the errors of a partition of which a record was read.
    pub(super) fn resolved(&mut self, partition: Option<Partition>, context: &MappingContext) {
        if !self.repeats.is_empty() {
            self.end(partition, context);
            self.end(None, context);
        }
    }

    /// A partition was assigned: the group works.
    pub(super) fn assigned(&mut self, partition: Partition, context: &MappingContext) {
        self.read.remove(&partition);
        self.resolved(Some(partition), context);
        context.progress.set_problem(None, None);
    }

    /// A partition was revoked.
    pub(super) fn revoked(&mut self, partition: Partition, context: &MappingContext) {
        self.read.remove(&partition);
        self.repeats.over(&Some(partition));
        context.progress.set_problem(Some(partition), None);
    }

    /// Ends errors that have not occurred again.
    pub(super) fn expire(&mut self, now: Instant, context: &MappingContext) {
        if self.repeats.is_empty()
            || self
                .checked
                .is_some_and(|checked| now.saturating_duration_since(checked) < CHECK_INTERVAL)
        {
            return;
        }
        self.checked = Some(now);
        for partition in self.repeats.expire(now, EXPIRY).into_iter().flatten() {
            context.progress.set_problem(Some(partition), None);
        }
    }

    fn end(&mut self, partition: Option<Partition>, context: &MappingContext) {
        let Some(errors) = self.repeats.over(&partition) else {
            return;
        };
        context.progress.set_problem(partition, None);
        if let Some(partition) = partition {
            let topic = &context.mapping.topics[partition.topic];
            tracing::info!(
                mapping = context.mapping.id,
                topic,
                partition = partition.number,
                errors,
                "the consumer reads the partition again"
            );
        }
    }
}

/// Connection errors are reported once, by the context of the consumer.
fn is_connection_error(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode::{AllBrokersDown, BrokerTransportFailure, Resolve};
    matches!(code, AllBrokersDown | BrokerTransportFailure | Resolve)
}

/// librdkafka reports these errors once, not while they last.
fn is_reported_once(code: RDKafkaErrorCode) -> bool {
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

/// State of the partition or mapping with this error.
fn state(code: RDKafkaErrorCode) -> SourceState {
    use RDKafkaErrorCode::{UnknownTopic, UnknownTopicOrPartition};
    match code {
        UnknownTopic | UnknownTopicOrPartition => SourceState::Missing,
        _ => SourceState::Stuck,
    }
}

fn remedy(code: RDKafkaErrorCode) -> &'static str {
    use RDKafkaErrorCode as Code;
    match code {
        Code::NotImplemented => {
            "This build of librdkafka does not have the codec; configure another one in the \
             producer, and pass over the batch: usher offsets seek"
        }
        Code::BadMessage
        | Code::BadCompression
        | Code::InvalidMessage
        | Code::InvalidMessageSize => {
            "The batch is damaged in the broker's log; restore the log, or pass over the batch: \
             usher offsets seek"
        }
        Code::UnknownTopic | Code::UnknownTopicOrPartition => {
            "Create the topic, or correct its name in the template; the consumer then reads it"
        }
        Code::TopicAuthorizationFailed
        | Code::GroupAuthorizationFailed
        | Code::ClusterAuthorizationFailed => {
            "Let the login of this mapping read the topic and use the consumer group"
        }
        _ => "The consumer retries until it succeeds",
    }
}
