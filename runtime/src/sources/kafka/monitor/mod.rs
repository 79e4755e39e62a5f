//! Checks every few seconds, on a thread of its own, whether the assumptions of a mapping hold:
//!
//! - The topics are those that it has read. For librdkafka a recreated topic continues the old
//!   offsets, so its first records would be skipped.
//! - The logs still have what was not fetched. A paused partition fetches nothing and detects
//!   nothing.
//! - Each partition has a member of the group. A member without partitions gets no error. It may be
//!   right, if there are more members than partitions; only partitions without any member count.
//!
//! `lookups` uses the same client to complete the status.

mod lookups;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use event_sources::kafka::{TopicIdentity, UnassignedPartitions, assignment};
use event_sources::stream::Partition;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaResult;
use tokio::sync::mpsc::Sender;

use crate::sources::kafka::consumer::ConsumerEvent;
use crate::sources::kafka::consumer_failure::replaced_topic;
use crate::sources::kafka::reader::{self, ReadError, partitions};
use crate::sources::kafka::silent::SilentContext;
use crate::sources::kafka::source::KafkaSource;
use crate::sources::kafka::start_offsets::{self, PATIENCE, cluster, id};
use lookups::look_up;

/// Interval of the checks.
const INTERVAL: Duration = Duration::from_secs(5);

/// Consecutive checks in which partitions may have no member. Longer than a member needs to detect
/// new partitions (10 s) and a rebalance.
const MAX_CHECKS: u32 = 5;

/// Starts a monitor, which ends when the returned sender is dropped, or with the driver.
///
/// # Errors
/// The thread cannot be started.
pub(super) fn start(
    source: Arc<KafkaSource>,
    events: Sender<ConsumerEvent>,
) -> std::io::Result<mpsc::Sender<()>> {
    let (stop, stopped) = mpsc::channel();
    let name = format!("monitor {}", source.mapping.id);
    std::thread::Builder::new().name(name).spawn(move || {
        let mut monitor = GroupMonitor {
            source,
            client: None,
            unassigned: UnassignedPartitions::default(),
            idle_checks: 0,
        };
        while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
            for event in monitor.check() {
                if events.blocking_send(event).is_err() {
                    return;
                }
            }
        }
    })?;
    Ok(stop)
}

struct GroupMonitor {
    source: Arc<KafkaSource>,
    client: Option<BaseConsumer<SilentContext>>,
    unassigned: UnassignedPartitions,
    /// Consecutive checks in which this host had no partition and the group was not seen to have
    /// assigned all of them.
    idle_checks: u32,
}

/// State of the group.
enum GroupState {
    /// Its members have all partitions, or had them recently.
    Settled,
    /// It assigns nothing at present, for this reason.
    Unsettled(String),
    /// Partitions have had no member for too long; the reason.
    Unassigned(String),
}

impl GroupMonitor {
    /// Returns events for the driver. The consumer reports a cluster that does not respond.
    fn check(&mut self) -> Vec<ConsumerEvent> {
        let inspected = self.client().and_then(|client| {
            let inspected = self.inspect(&client)?;
            self.client = Some(client);
            Ok(inspected)
        });
        let (events, unsettled) = inspected.unwrap_or_else(|error| {
            tracing::debug!(
                mapping = self.source.mapping.id,
                %error,
                "the group and its topics cannot be checked"
            );
            self.unassigned.reset();
            let why = format!(
                "the brokers give no information about the group {} ({error})",
                self.source.mapping.group
            );
            (Vec::new(), Some(why))
        });
        self.idle_checks = if unsettled.is_some() && self.source.progress.owns_nothing() {
            self.idle_checks + 1
        } else {
            0
        };
        let why = unsettled.filter(|_| self.idle_checks >= MAX_CHECKS);
        let since = INTERVAL.as_secs() * u64::from(self.idle_checks);
        self.source.progress.set_group_problem(
            why.map(|why| format!("this host has had no partition for {since} s: {why}")),
        );
        events
    }

    fn inspect(
        &mut self,
        client: &BaseConsumer<SilentContext>,
    ) -> KafkaResult<(Vec<ConsumerEvent>, Option<String>)> {
        look_up(client, &self.source);
        let mut events = self.replaced(client)?;
        // a log without a leader fails no other check
        events.extend(self.log_starts(client).ok());
        let unsettled = match self.group(client)? {
            GroupState::Settled => None,
            GroupState::Unsettled(why) => Some(why),
            GroupState::Unassigned(why) => {
                events.push(ConsumerEvent::Unassigned(why));
                None
            }
        };
        Ok((events, unsettled))
    }

    fn client(&mut self) -> Result<BaseConsumer<SilentContext>, ReadError> {
        let Some(client) = self.client.take() else {
            return reader::consumer(&self.source.mapping, &self.source.mapping.group);
        };
        client.context().tokens.renew(&client);
        Ok(client)
    }

    /// Topics that were recreated since they were read.
    fn replaced(&self, client: &BaseConsumer<SilentContext>) -> KafkaResult<Vec<ConsumerEvent>> {
        let cluster = cluster(client);
        let mut events = Vec::new();
        for (topic, name) in self.source.mapping.topics.iter().enumerate() {
            // a missing topic was not replaced
            let Ok(id) = id(client, name) else { continue };
            if self.source.known.identity(&cluster, name, id) == TopicIdentity::Replaced {
                let numbers = partitions(client, name, PATIENCE)?;
                let partitions = numbers
                    .into_iter()
                    .map(|number| Partition { topic, number });
                events.push(ConsumerEvent::InvalidPositions(
                    partitions.collect(),
                    replaced_topic(name),
                ));
            }
        }
        Ok(events)
    }

    /// First offsets of the logs.
    fn log_starts(&self, client: &BaseConsumer<SilentContext>) -> KafkaResult<ConsumerEvent> {
        let mut all = Vec::new();
        for (topic, name) in self.source.mapping.topics.iter().enumerate() {
            let numbers = partitions(client, name, PATIENCE)?;
            let starts = start_offsets::log_starts(client, name, &numbers)?;
            all.extend(
                starts
                    .into_iter()
                    .map(|(number, start)| (Partition { topic, number }, start)),
            );
        }
        Ok(ConsumerEvent::LogStarts(all))
    }

    /// Whether every partition has a member.
    fn group(&mut self, client: &BaseConsumer<SilentContext>) -> KafkaResult<GroupState> {
        let group = &self.source.mapping.group;
        let groups = client.fetch_group_list(Some(group), PATIENCE)?;
        let mut held = BTreeSet::new();
        if let Some(found) = groups.groups().iter().find(|found| found.name() == group) {
            if !matches!(found.state(), "Stable" | "Empty" | "Dead") {
                // during a rebalance the members keep their partitions
                self.unassigned.reset();
                let members: Vec<String> = found
                    .members()
                    .iter()
                    .map(|member| format!("{}{}", member.client_id(), member.client_host()))
                    .collect();
                return Ok(GroupState::Unsettled(format!(
                    "the group {group} rebalances, and one of its members does not take part ({}). \
                     Stop or repair that one; the brokers remove it after its max.poll.interval.ms \
                     (5 minutes by default)",
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
        for topic in &self.source.mapping.topics {
            let numbers = partitions(client, topic, PATIENCE)?;
            there.extend(numbers.into_iter().map(|number| (topic.clone(), number)));
        }
        let (checks, unassigned) = self.unassigned.observe(&there, &held);
        if checks < MAX_CHECKS {
            return Ok(GroupState::Settled);
        }
        let names: Vec<String> = unassigned
            .iter()
            .map(|(topic, number)| format!("{topic}-{number}"))
            .collect();
        let why = format!(
            "the group {group} has assigned {} to no member for {} s, so nothing of it is read. \
             This host joins as another member",
            names.join(", "),
            INTERVAL.as_secs() * u64::from(checks - 1)
        );
        self.unassigned.reset();
        Ok(GroupState::Unassigned(why))
    }
}
