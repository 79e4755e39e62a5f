//! Moves a group that no host reads with: commits on its behalf.
//!
//! The brokers take a commit from outside only while the group has no members. A host that ended leaves static members behind until their
//! session is over (10 s), so that is waited for.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::message::{Message as _, OwnedMessage};
use rdkafka::{Offset, TopicPartitionList};

use crate::kafka::consumer::partition;
use crate::kafka::destination::{Context, GivenUp, Outlet, letters};
use crate::kafka::lookup::{PATIENCE, consumer, read};
use crate::kafka::quiet::Quiet;
use crate::kafka::{encode, settings};
use crate::mapping::{Reason, Slice};
use crate::model::KafkaMapping;
use crate::sqs::Sqs;

/// How long members of a host that ended may be waited for: longer than a session.
const SESSION: Duration = Duration::from_secs(15);

/// Puts the group to this offset of a partition. Blocks.
///
/// # Errors
/// The group has members, or the brokers do not take the commit; nothing changed.
pub fn seek(mapping: &KafkaMapping, topic: &str, partition: i32, offset: i64) -> Result<(), String> {
    let consumer = consumer(mapping, &mapping.group)?;
    wait_until_empty(&consumer, &mapping.group)?;
    commit(&consumer, topic, partition, offset)
}

/// Passes the next record of a partition, which must be this one: it goes to the mapping's destination first, if there is one.
/// Yields what became of it.
///
/// # Errors
/// It is not the next record, the destination takes nothing, or as for [`seek`].
pub async fn skip(
    mapping: &KafkaMapping,
    (function_arn, sqs): (String, Option<Sqs>),
    (topic, number): (String, i32),
    (committed, record): (i64, i64),
) -> Result<String, String> {
    let (owned, topic_name) = (mapping.clone(), topic.clone());
    let found = tokio::task::spawn_blocking(move || {
        let consumer = consumer(&owned, &owned.group)?;
        wait_until_empty(&consumer, &owned.group)?;
        match read(&consumer, &topic_name, number, committed, record, 1) {
            Ok(found) => Ok(found.into_iter().next()),
            // what cannot be read is what an operator passes
            Err(_) if record == committed => Ok(None),
            Err(why) => Err(why),
        }
    });
    let found: Option<OwnedMessage> = found.await.unwrap_or_else(|error| Err(error.to_string()))?;
    if let Some(next) = found.as_ref().map(rdkafka::Message::offset).filter(|next| *next != record) {
        return Err(format!("the next record of {topic}-{number} is {next}, not {record}. Skip that one, or seek"));
    }
    let to = match (&found, &mapping.on_failure) {
        (Some(message), Some(destination)) => {
            let outlet = Outlet::new(destination, settings::cluster(mapping), sqs.as_ref())?;
            deliver(mapping, function_arn, &outlet, message).await?
        }
        (Some(_), None) => "it goes nowhere: the mapping has no destination".to_owned(),
        (None, _) => "it cannot be read, so it goes nowhere".to_owned(),
    };
    let owned = mapping.clone();
    let committed = tokio::task::spawn_blocking(move || seek(&owned, &topic, number, record + 1));
    committed.await.unwrap_or_else(|error| Err(error.to_string()))?;
    Ok(to)
}

async fn deliver(
    mapping: &KafkaMapping,
    function_arn: String,
    outlet: &Outlet,
    message: &OwnedMessage,
) -> Result<String, String> {
    let place = partition(&mapping.topics, message.topic(), message.partition());
    let place = place.ok_or_else(|| format!("the mapping does not read topic {}", message.topic()))?;
    let mut record = Vec::new();
    encode::record(&encode::record_start(message.topic(), message.partition()), message, &mut record);
    let slice = Slice { partition: place, first: message.offset(), last: message.offset(), records: 1 };
    let given_up = GivenUp {
        slice: &slice,
        reason: Reason::Skipped,
        tried: None,
        records: &[(&record, message.timestamp().to_millis().unwrap_or(-1))],
        payload_size: encode::envelope(mapping).len() + record.len() + encode::EVENT_END.len(),
        own_id: &format!("{}-skip-{}", mapping.id, message.offset()),
        now: Timestamp::now(),
    };
    let context = Context { mapping: mapping.clone(), function_arn };
    let delivered = outlet.deliver(letters(&context, &given_up, outlet.takes_each())).await;
    let delivered =
        delivered.map_err(|why| format!("{} takes no failure records ({why}); nothing was skipped", outlet.name()))?;
    Ok(match delivered.lost.first() {
        None => format!("its failure record is in {}", outlet.name()),
        Some(lost) => format!("{} refuses its failure record in every form ({})", outlet.name(), lost.why),
    })
}

fn wait_until_empty(consumer: &BaseConsumer<Quiet>, group: &str) -> Result<(), String> {
    let until = Instant::now() + SESSION;
    loop {
        let groups = consumer.fetch_group_list(Some(group), PATIENCE).map_err(|error| format!("group {group}: {error}"))?;
        let members: usize = groups.groups().iter().map(|group| group.members().len()).sum();
        if members == 0 {
            return Ok(());
        }
        if Instant::now() >= until {
            return Err(format!(
                "group {group} has {members} members: a host reads with it. Name its control address (--control, or control in usher.toml), \
                 or stop it first"
            ));
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}

fn commit(consumer: &BaseConsumer<Quiet>, topic: &str, partition: i32, offset: i64) -> Result<(), String> {
    let mut list = TopicPartitionList::new();
    let added = list.add_partition_offset(topic, partition, Offset::Offset(offset));
    let committed = added.and_then(|()| consumer.commit(&list, CommitMode::Sync));
    committed.map_err(|error| format!("the brokers do not take the offset {offset} of {topic}-{partition}: {error}"))
}
