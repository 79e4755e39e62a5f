//! Looks every few seconds, on a thread of its own, whether what this mapping assumes still holds.
//!
//! - The topics are those that it has read. One that was deleted and created again continues the old offsets for librdkafka, so its first
//!   records would be skipped.
//! - The logs still have what was not fetched. A partition that is held back fetches nothing, and would not notice.
//! - Each partition has a member of the group. A member to which the group gives nothing gets no error: it waits for ever. It may be right,
//!   where there are more members than partitions; so only partitions that no member has count.
//!
//! What the status lacks is looked up with the same client (`lookups`).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaResult;
use rdkafka::metadata::{MetadataPartition, MetadataTopic};
use tokio::sync::mpsc::Sender;

use super::consumer::Event;
use super::lookup;
use super::lookups::look_up;
use super::offsets::{self, PATIENCE, cluster, id};
use super::silent::SilentContext;
use super::status::Progress;
use super::topics::KnownTopics;
use crate::model::KafkaMapping;
use event_sources::kafka::TopicIdentity;
use event_sources::kafka::{TopicPartition, UnassignedPartitions, assignment};
use event_sources::stream::Partition;

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(5);

/// So many looks in a row partitions may be without a member: longer than a member takes to notice new partitions (10 s) and a rebalance.
const LOOKS: u32 = 5;

/// Ends the survey when it is dropped.
#[derive(Debug)]
pub(super) struct Surveying(
    #[expect(dead_code, reason = "what counts is that it is dropped")] mpsc::Sender<()>,
);

/// Begins to look; ends with the returned value, or with the driver.
///
/// # Errors
/// The machine gives no thread.
pub(super) fn begin(
    mapping: KafkaMapping,
    progress: Arc<Progress>,
    known: Arc<KnownTopics>,
    events: Sender<Event>,
) -> std::io::Result<Surveying> {
    let (stop, stopped) = mpsc::channel();
    let name = format!("survey {}", mapping.id);
    std::thread::Builder::new().name(name).spawn(move || {
        let mut survey = Survey {
            mapping,
            progress,
            known,
            client: None,
            unheld: UnassignedPartitions::default(),
            waits: 0,
        };
        while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
            for event in survey.look() {
                if events.blocking_send(event).is_err() {
                    return;
                }
            }
        }
    })?;
    Ok(Surveying(stop))
}

struct Survey {
    mapping: KafkaMapping,
    progress: Arc<Progress>,
    known: Arc<KnownTopics>,
    client: Option<BaseConsumer<SilentContext>>,
    unheld: UnassignedPartitions,
    /// Looks in a row at which this host had no partition, and the group was not seen to have given all to others.
    waits: u32,
}

/// What a look at the group found.
enum Group {
    /// Its members have what there is, or a moment ago had it.
    Settled,
    /// It gives out nothing at present, for this reason.
    Unsettled(String),
    /// It has given partitions to no member for a while, in these words.
    Unassigned(String),
}

impl Survey {
    /// What the driver has to do. A cluster that does not answer is reported elsewhere.
    fn look(&mut self) -> Vec<Event> {
        let (events, unsettled) = self.found().unwrap_or_else(|error| {
            tracing::debug!(
                mapping = self.mapping.id,
                error,
                "cannot look at the group and its topics"
            );
            self.unheld.reset();
            let why = format!(
                "the brokers give no information about the group {} ({error})",
                self.mapping.group
            );
            (Vec::new(), Some(why))
        });
        self.waits = if unsettled.is_some() && self.progress.owns_nothing() {
            self.waits + 1
        } else {
            0
        };
        let why = unsettled.filter(|_| self.waits >= LOOKS);
        let since = INTERVAL.as_secs() * u64::from(self.waits);
        self.progress
            .group(why.map(|why| format!("this host has had no partition for {since} s: {why}")));
        events
    }

    fn found(&mut self) -> Result<(Vec<Event>, Option<String>), String> {
        self.client().and_then(|client| {
            look_up(&client, &self.mapping, &self.progress);
            let mut events = self.replaced(&client)?;
            // one log without a leader hides nothing else
            events.extend(self.log_starts(&client).ok());
            let unsettled = match self.group(&client)? {
                Group::Settled => None,
                Group::Unsettled(why) => Some(why),
                Group::Unassigned(why) => {
                    events.push(Event::Unassigned(why));
                    None
                }
            };
            self.client = Some(client);
            Ok((events, unsettled))
        })
    }

    fn client(&mut self) -> Result<BaseConsumer<SilentContext>, String> {
        self.client
            .take()
            .map_or_else(|| lookup::consumer(&self.mapping, &self.mapping.group), Ok)
    }

    /// Topics that were created again since they were read.
    fn replaced(&self, client: &BaseConsumer<SilentContext>) -> Result<Vec<Event>, String> {
        let cluster = cluster(client);
        let mut events = Vec::new();
        for (topic, name) in self.mapping.topics.iter().enumerate() {
            // a topic that is missing is no other topic
            let Ok(id) = id(client, name) else { continue };
            if self.known.identity(&cluster, name, id) == TopicIdentity::Replaced {
                let partitions = partitions(client, name).map_err(|error| error.to_string())?;
                let partitions = partitions
                    .into_iter()
                    .map(|(_, number)| Partition { topic, number });
                let why = format!(
                    "the topic {name} was deleted and created again. Another consumer reads the new one from its start"
                );
                events.push(Event::Astray(partitions.collect(), why));
            }
        }
        Ok(events)
    }

    /// Where the logs start.
    fn log_starts(&self, client: &BaseConsumer<SilentContext>) -> Result<Event, String> {
        let mut all = Vec::new();
        for (topic, name) in self.mapping.topics.iter().enumerate() {
            let numbers = partitions(client, name).map_err(|error| error.to_string())?;
            let numbers: Vec<i32> = numbers.into_iter().map(|(_, number)| number).collect();
            let starts =
                offsets::log_starts(client, name, &numbers).map_err(|error| error.to_string())?;
            all.extend(
                starts
                    .into_iter()
                    .map(|(number, start)| (Partition { topic, number }, start)),
            );
        }
        Ok(Event::LogStarts(all))
    }

    /// Whether the group gives its partitions to members.
    fn group(&mut self, client: &BaseConsumer<SilentContext>) -> Result<Group, String> {
        let failed = |error: rdkafka::error::KafkaError| error.to_string();
        let group = &self.mapping.group;
        let groups = client
            .fetch_group_list(Some(group), PATIENCE)
            .map_err(failed)?;
        let mut held = BTreeSet::new();
        if let Some(found) = groups.groups().iter().find(|found| found.name() == group) {
            if !matches!(found.state(), "Stable" | "Empty" | "Dead") {
                // while it rebalances, members have what they had
                self.unheld.reset();
                let members: Vec<String> = found
                    .members()
                    .iter()
                    .map(|member| format!("{}{}", member.client_id(), member.client_host()))
                    .collect();
                return Ok(Group::Unsettled(format!(
                    "the group {group} rebalances, and one of its members does not take part ({}). End or mend that one; the brokers drop \
                     it when its max.poll.interval.ms is over (5 minutes by default)",
                    members.join(", ")
                )));
            }
            for member in found.members() {
                held.extend(
                    member
                        .assignment()
                        .and_then(assignment)
                        .into_iter()
                        .flatten(),
                );
            }
        }
        let mut there = BTreeSet::new();
        for topic in &self.mapping.topics {
            there.extend(partitions(client, topic).map_err(failed)?);
        }
        let (looks, unheld) = self.unheld.observe(&there, &held);
        if looks < LOOKS {
            return Ok(Group::Settled);
        }
        let names: Vec<String> = unheld
            .iter()
            .map(|(topic, number)| format!("{topic}-{number}"))
            .collect();
        let why = format!(
            "the group {group} has given {} to no member for {} s, so nothing of it is read. This host joins as another member",
            names.join(", "),
            INTERVAL.as_secs() * u64::from(looks - 1)
        );
        self.unheld.reset();
        Ok(Group::Unassigned(why))
    }
}

fn partitions(
    client: &BaseConsumer<SilentContext>,
    topic: &str,
) -> KafkaResult<Vec<TopicPartition>> {
    let metadata = client.fetch_metadata(Some(topic), PATIENCE)?;
    let numbers = metadata
        .topics()
        .iter()
        .flat_map(MetadataTopic::partitions)
        .map(MetadataPartition::id);
    Ok(numbers.map(|number| (topic.to_owned(), number)).collect())
}
