//! Moves a group while no host runs, by a commit on its behalf.
//!
//! The brokers accept a commit from outside only if the group has no members. The static members of
//! a stopped host stay until their session expires (10 s), so the command waits for that.

use std::time::{Duration, Instant};

use event_sources::stream::{DiscardReason, Partition, Slice};
use jiff::Timestamp;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::{Offset, TopicPartitionList};
use sam_template::model::KafkaMapping;

use super::DirectMoveError;
use crate::destinations::DestinationClient;
use crate::sources::kafka::consumer::partition;
use crate::sources::kafka::discards::{Discarded, FailureContext, failure_records};
use crate::sources::kafka::reader::{PATIENCE, consumer, read_as};
use crate::sources::kafka::silent::SilentContext;
use crate::sources::kafka::{encode, settings};
use crate::sources::sqs::Sqs;
use crate::supervision::TaskError;

/// Time limit for the members of a stopped host to expire: longer than a session.
const SESSION: Duration = Duration::from_secs(15);

/// Commits this offset of a partition for the group. Blocks.
///
/// # Errors
/// The group has members, or the brokers reject the commit; nothing changed.
pub fn seek(
    mapping: &KafkaMapping,
    topic: &str,
    partition: i32,
    offset: i64,
) -> Result<(), DirectMoveError> {
    let consumer = consumer(mapping, &mapping.group)?;
    wait_until_empty(&consumer, &mapping.group)?;
    commit(&consumer, topic, partition, offset)
}

/// Skips this record, which has to be the next one of the partition. The mapping's destination
/// receives a failure record first. Returns the effect as text.
///
/// # Errors
/// It is not the next record, the destination is unavailable, or as for [`seek`].
pub async fn skip(
    mapping: &KafkaMapping,
    (function_arn, sqs): (String, Option<Sqs>),
    (topic, number): (String, i32),
    (committed, record): (i64, i64),
) -> Result<String, DirectMoveError> {
    let owned = mapping.clone();
    let topic_name = topic.clone();
    let found = tokio::task::spawn_blocking(move || -> Result<_, DirectMoveError> {
        let consumer = consumer(&owned, &owned.group)?;
        wait_until_empty(&consumer, &owned.group)?;
        match read_as(
            &consumer,
            (&topic_name, number),
            committed..=record,
            1,
            Found::of,
        ) {
            Ok(found) => Ok(found.into_iter().next()),
            // operators skip records that cannot be read
            Err(_) if record == committed => Ok(None),
            Err(error) => Err(error.into()),
        }
    });
    let found: Option<Found> = found.await.map_err(TaskError::from)??;
    if let Some(next) = found
        .as_ref()
        .map(|found| found.offset)
        .filter(|next| *next != record)
    {
        return Err(DirectMoveError::NotNext {
            topic,
            partition: number,
            next,
            record,
        });
    }
    let to = match (&found, &mapping.on_failure) {
        (Some(found), Some(destination)) => {
            let destination =
                DestinationClient::new(destination, settings::access(mapping), sqs.as_ref())?;
            let target = partition(&mapping.topics, &topic, number)
                .ok_or_else(|| DirectMoveError::OtherTopic(topic.clone()))?;
            let context = FailureContext {
                mapping,
                function_arn: &function_arn,
            };
            deliver(context, target, &destination, found).await?
        }
        (Some(_), None) => "it goes nowhere: the mapping has no destination".to_owned(),
        (None, _) => "it cannot be read, so it goes nowhere".to_owned(),
    };
    let owned = mapping.clone();
    let committed = tokio::task::spawn_blocking(move || seek(&owned, &topic, number, record + 1));
    committed.await.map_err(TaskError::from)??;
    Ok(to)
}

/// A record in the format of an event.
struct Found {
    offset: i64,
    json: Vec<u8>,
    /// Milliseconds since 1970; negative: none.
    time: i64,
}

impl Found {
    fn of(message: &BorrowedMessage<'_>) -> Self {
        let mut json = Vec::new();
        // malformed headers are omitted: they do not prevent the skip
        let headers = kafka_headers::headers(message).unwrap_or_default();
        encode::record(
            &encode::record_start(message.topic(), message.partition()),
            message,
            &headers,
            &mut json,
        );
        Self {
            offset: message.offset(),
            json,
            time: message.timestamp().to_millis().unwrap_or(-1),
        }
    }
}

async fn deliver(
    context: FailureContext<'_>,
    partition: Partition,
    destination: &DestinationClient,
    found: &Found,
) -> Result<String, DirectMoveError> {
    let mapping = context.mapping;
    let slice = Slice {
        partition,
        first: found.offset,
        last: found.offset,
        records: 1,
    };
    let discarded = Discarded {
        slice: &slice,
        reason: DiscardReason::Skipped,
        attempts: None,
        records: &[(&found.json, found.time)],
        payload_size: encode::envelope(mapping).len() + found.json.len() + encode::EVENT_END.len(),
        own_id: &format!("{}-skip-{}", mapping.id, found.offset),
        now: Timestamp::now(),
    };
    let records = failure_records(context, &discarded, destination.is_topic());
    let delivered =
        destination
            .deliver(records)
            .await
            .map_err(|error| DirectMoveError::NotDelivered {
                destination: destination.to_string(),
                error: Box::new(error),
            })?;
    Ok(match delivered.refused.first() {
        None => format!("its failure record is in {destination}"),
        Some(refused) => format!(
            "{destination} refuses its failure record in every form ({})",
            refused.why
        ),
    })
}

fn wait_until_empty(
    consumer: &BaseConsumer<SilentContext>,
    group: &str,
) -> Result<(), DirectMoveError> {
    let until = Instant::now() + SESSION;
    loop {
        let groups = consumer
            .fetch_group_list(Some(group), PATIENCE)
            .map_err(|error| DirectMoveError::Group {
                group: group.to_owned(),
                error,
            })?;
        let members: usize = groups
            .groups()
            .iter()
            .map(|group| group.members().len())
            .sum();
        if members == 0 {
            return Ok(());
        }
        if Instant::now() >= until {
            return Err(DirectMoveError::HasMembers {
                group: group.to_owned(),
                members,
            });
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}

fn commit(
    consumer: &BaseConsumer<SilentContext>,
    topic: &str,
    partition: i32,
    offset: i64,
) -> Result<(), DirectMoveError> {
    let mut list = TopicPartitionList::new();
    let added = list.add_partition_offset(topic, partition, Offset::Offset(offset));
    let committed = added.and_then(|()| consumer.commit(&list, CommitMode::Sync));
    committed.map_err(|error| DirectMoveError::Rejected {
        topic: topic.to_owned(),
        partition,
        offset,
        error,
    })
}
