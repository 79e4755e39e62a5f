//! Looks every few seconds, on a thread of its own, whether what this mapping assumes still holds.
//!
//! - The topics are those that it has read. One that was deleted and created again continues the old offsets for librdkafka, so its first
//!   records would be skipped.
//! - Each partition has a member of the group. A member to which the group gives nothing gets no error: it waits for ever. It may be right,
//!   where there are more members than partitions; so only partitions that no member has count.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaResult;
use rdkafka::metadata::{MetadataPartition, MetadataTopic};
use tokio::sync::mpsc::Sender;

use super::assigned::{Place, Unheld, assignment};
use super::consumer::Event;
use super::lookup;
use super::offsets::{PATIENCE, cluster, id};
use super::quiet::Quiet;
use super::resume::Identity;
use super::topics::KnownTopics;
use crate::mapping::Partition;
use crate::model::KafkaMapping;

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(5);

/// So many looks in a row partitions may be without a member: longer than a member takes to notice new partitions (10 s) and a rebalance.
const LOOKS: u32 = 5;

/// Ends the survey when it is dropped.
#[derive(Debug)]
pub(super) struct Surveying(#[expect(dead_code, reason = "what counts is that it is dropped")] mpsc::Sender<()>);

/// Begins to look; ends with the returned value, or with the driver.
///
/// # Errors
/// The machine gives no thread.
pub(super) fn begin(mapping: KafkaMapping, known: Arc<KnownTopics>, events: Sender<Event>) -> std::io::Result<Surveying> {
    let (stop, stopped) = mpsc::channel();
    let name = format!("survey {}", mapping.id);
    std::thread::Builder::new().name(name).spawn(move || {
        let mut survey = Survey { mapping, known, client: None, unheld: Unheld::default() };
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
    known: Arc<KnownTopics>,
    client: Option<BaseConsumer<Quiet>>,
    unheld: Unheld,
}

impl Survey {
    /// What the driver has to do. A cluster that does not answer is reported elsewhere.
    fn look(&mut self) -> Vec<Event> {
        let looked = self.client().and_then(|client| {
            let mut events = self.replaced(&client)?;
            events.extend(self.unassigned(&client)?);
            self.client = Some(client);
            Ok(events)
        });
        looked.unwrap_or_else(|error| {
            tracing::debug!(mapping = self.mapping.id, error, "cannot look at the group and its topics");
            self.unheld.unknown();
            Vec::new()
        })
    }

    fn client(&mut self) -> Result<BaseConsumer<Quiet>, String> {
        self.client.take().map_or_else(|| lookup::consumer(&self.mapping, &self.mapping.group), Ok)
    }

    /// Topics that were created again since they were read.
    fn replaced(&self, client: &BaseConsumer<Quiet>) -> Result<Vec<Event>, String> {
        let cluster = cluster(client);
        let mut events = Vec::new();
        for (topic, name) in self.mapping.topics.iter().enumerate() {
            // a topic that is missing is no other topic
            let Ok(id) = id(client, name) else { continue };
            if self.known.identity(&cluster, name, id) == Identity::Replaced {
                let partitions = partitions(client, name).map_err(|error| error.to_string())?;
                let partitions = partitions.into_iter().map(|(_, number)| Partition { topic, number });
                let why =
                    format!("the topic {name} was deleted and created again. Another consumer reads the new one from its start");
                events.push(Event::Astray(partitions.collect(), why));
            }
        }
        Ok(events)
    }

    /// Partitions that the group has given to no member for a while.
    fn unassigned(&mut self, client: &BaseConsumer<Quiet>) -> Result<Option<Event>, String> {
        let failed = |error: rdkafka::error::KafkaError| error.to_string();
        let group = &self.mapping.group;
        let groups = client.fetch_group_list(Some(group), PATIENCE).map_err(failed)?;
        let mut held = BTreeSet::new();
        if let Some(found) = groups.groups().iter().find(|found| found.name() == group) {
            if !matches!(found.state(), "Stable" | "Empty" | "Dead") {
                // while it rebalances, members have what they had
                self.unheld.unknown();
                return Ok(None);
            }
            for member in found.members() {
                held.extend(member.assignment().and_then(assignment).into_iter().flatten());
            }
        }
        let mut there = BTreeSet::new();
        for topic in &self.mapping.topics {
            there.extend(partitions(client, topic).map_err(failed)?);
        }
        let (looks, unheld) = self.unheld.looked(&there, &held);
        if looks < LOOKS {
            return Ok(None);
        }
        let names: Vec<String> = unheld.iter().map(|(topic, number)| format!("{topic}-{number}")).collect();
        let why = format!(
            "the group {group} has given {} to no member for {} s, so nothing of it is read. This host joins as another member",
            names.join(", "),
            INTERVAL.as_secs() * u64::from(looks - 1)
        );
        self.unheld.unknown();
        Ok(Some(Event::Unassigned(why)))
    }
}

fn partitions(client: &BaseConsumer<Quiet>, topic: &str) -> KafkaResult<Vec<Place>> {
    let metadata = client.fetch_metadata(Some(topic), PATIENCE)?;
    let numbers = metadata.topics().iter().flat_map(MetadataTopic::partitions).map(MetadataPartition::id);
    Ok(numbers.map(|number| (topic.to_owned(), number)).collect())
}
