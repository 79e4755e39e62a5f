//! Start offsets of assigned partitions: reads committed offsets and log bounds from the brokers,
//! and commits what [`event_sources::kafka::resume`] decides.
//!
//! A group that has committed nothing starts by `StartingPosition`. The first assignment commits
//! the start for every partition of the topic. A partition without a committed offset was therefore
//! added later and starts at its beginning: `LATEST` would skip the records written before the
//! assignment.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use event_sources::kafka::{LogAnomaly, PartitionLog, ResumeFrom, TopicIdentity, resume};
use event_sources::stream::Partition;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use sam_template::model::StartingPosition;

use super::consumer::{MappingConsumer, MappingContext, partition};
use super::known_topics::KnownTopicsError;
use super::reader::{by_partition, partitions};
use crate::lock::lock;

/// Time limit of a request to the brokers. Short: a host that shuts down waits for it.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// Maximum of attempts of a request.
const ATTEMPTS: usize = 5;

/// Delay between attempts: all brokers learn of a new topic or leader within this time.
const PAUSE: Duration = Duration::from_millis(100);

/// Repeats a request until it succeeds, the attempts are used up, or `stopping` returns true.
fn retry<T>(stopping: &dyn Fn() -> bool, request: impl Fn() -> KafkaResult<T>) -> KafkaResult<T> {
    for _ in 1..ATTEMPTS {
        match request() {
            Err(_) if !stopping() => std::thread::sleep(PAUSE),
            result => return result,
        }
    }
    request()
}

/// The start offsets of an assignment.
#[derive(Debug, Default)]
pub(super) struct StartOffsets {
    /// The first offset to read, by partition.
    pub(super) starts: BTreeMap<Partition, i64>,
    /// Topic, partition and the anomaly that needs an alarm.
    pub(super) findings: Vec<(String, i32, LogAnomaly)>,
    /// Why the ids of the topics could not be stored.
    pub(super) ids_not_stored: Option<KnownTopicsError>,
    /// Topics that were replaced while this consumer read them, which have no start offsets.
    pub(super) replaced: Vec<String>,
}

/// Sets and commits the offset of every partition in `assigned` that does not continue at its
/// committed one.
///
/// # Errors
/// The brokers do not respond, or reject a commit. The topic has no start offsets then.
pub(super) fn settle(
    context: &MappingContext,
    consumer: &MappingConsumer,
    assigned: &mut TopicPartitionList,
) -> KafkaResult<StartOffsets> {
    let mut topics: BTreeMap<String, BTreeSet<i32>> = BTreeMap::new();
    for element in assigned.elements() {
        topics
            .entry(element.topic().to_owned())
            .or_default()
            .insert(element.partition());
    }
    let cluster = cluster(consumer);
    let mut settled = StartOffsets::default();
    for (topic, mine) in topics {
        let id = retry(&|| context.stopping(), || id(consumer, &topic))?;
        let identity = context.known.identity(&cluster, &topic, id);
        // For librdkafka the new topic continues the old one: partitions that this consumer still
        // has go on at their old positions, and assigned ones were seen to receive nothing. The
        // next consumer detects the replacement again, because the id is not stored.
        let is_known = !lock(&context.assigned_topics).insert(topic.clone());
        if is_known && identity == TopicIdentity::Replaced {
            settled.replaced.push(topic);
            continue;
        }
        settle_topic(
            context,
            consumer,
            (&topic, &mine, identity),
            assigned,
            &mut settled,
        )?;
        // after the commit: a host that is killed before it detects the new topic again
        settled.ids_not_stored = settled
            .ids_not_stored
            .or(context.known.store(&cluster, &topic, id).err());
    }
    Ok(settled)
}

/// The cluster's id; empty if the brokers return none.
pub(super) fn cluster<C: ConsumerContext>(consumer: &BaseConsumer<C>) -> String {
    consumer
        .client()
        .fetch_cluster_id(PATIENCE)
        .unwrap_or_default()
}

/// The topic's id; `None`: the brokers have no ids.
///
/// # Errors
/// No response in time.
pub(super) fn id<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
) -> KafkaResult<Option<u128>> {
    use RDKafkaErrorCode::{InvalidArgument, UnsupportedFeature, UnsupportedVersion};
    match kafka_headers::topic_id(consumer.client(), topic, PATIENCE) {
        Err(InvalidArgument | UnsupportedFeature | UnsupportedVersion) => Ok(None),
        answer => answer.map_err(KafkaError::MetadataFetch),
    }
}

/// Start offsets of one topic. `mine`: the partitions assigned to this host.
fn settle_topic(
    context: &MappingContext,
    consumer: &MappingConsumer,
    (topic, mine, identity): (&str, &BTreeSet<i32>, TopicIdentity),
    assigned: &mut TopicPartitionList,
    settled: &mut StartOffsets,
) -> KafkaResult<()> {
    let stopping = || context.stopping();
    let all = retry(&stopping, || partitions(consumer, topic, PATIENCE))?;
    let existing: BTreeSet<i32> = all.iter().copied().collect();
    let mut list = TopicPartitionList::new();
    for partition in existing.union(mine) {
        list.add_partition(topic, *partition);
    }
    let committed = by_partition(&retry(&stopping, || {
        consumer.committed_offsets(list.clone(), PATIENCE)
    })?);
    let first_time = committed.is_empty();
    // the first assignment commits the start of all partitions, also of those of other members
    let concerned: Vec<i32> = all
        .into_iter()
        .filter(|p| mine.contains(p) || !committed.contains_key(p))
        .collect();
    let edges = |at| edges(consumer, topic, &concerned, at, &stopping);
    let log_starts = edges(Offset::Beginning)?;
    let ends = edges(Offset::End)?;
    let by_position = match context.mapping.start {
        _ if !first_time => BTreeMap::new(),
        StartingPosition::TrimHorizon => log_starts.clone(),
        StartingPosition::Latest => ends.clone(),
        StartingPosition::AtTimestamp(at) => {
            let mut found = ends.clone();
            found.extend(edges(Offset::Offset(at))?);
            found
        }
    };
    // A partition that is gone: its topic was created again with fewer, and a static member gets
    // back what it had. It keeps a position, as of a partition that is added later: without one
    // librdkafka would report it as invalid, to each next consumer too.
    for &number in mine.difference(&existing) {
        let committed = committed.get(&number).copied();
        let first = committed.filter(|_| identity != TopicIdentity::Replaced);
        let first = first.unwrap_or(0);
        let own = partition(&context.mapping.topics, topic, number);
        settled.starts.extend(own.map(|own| (own, first)));
        if let Some(mut element) = assigned.find_partition(topic, number) {
            element.set_offset(Offset::Offset(first))?;
        }
    }
    let mut commits = TopicPartitionList::new();
    for &number in &concerned {
        let (Some(start), Some(end)) =
            (log_starts.get(&number).copied(), ends.get(&number).copied())
        else {
            continue;
        };
        let log = PartitionLog {
            committed: committed.get(&number).copied(),
            start,
            end,
        };
        let name = (topic.to_owned(), number);
        let rewritten = context.known.rewritten().contains(&name);
        let (resumed, finding) = resume(log, identity, first_time, rewritten);
        let first = match resumed {
            ResumeFrom::Committed(offset) => offset,
            ResumeFrom::LogStart => start,
            ResumeFrom::StartingPosition => by_position.get(&number).copied().unwrap_or(start),
        };
        if !matches!(resumed, ResumeFrom::Committed(_)) {
            commits.add_partition_offset(topic, number, Offset::Offset(first))?;
        }
        if mine.contains(&number) {
            let own = partition(&context.mapping.topics, topic, number);
            settled.starts.extend(own.map(|own| (own, first)));
            let findings = finding.map(|finding| (topic.to_owned(), number, finding));
            settled.findings.extend(findings);
        }
    }
    if commits.count() > 0 {
        consumer.commit(&commits, CommitMode::Sync)?;
    }
    for commit in commits.elements() {
        if let Some(mut element) = assigned.find_partition(topic, commit.partition()) {
            element.set_offset(commit.offset())?;
        }
    }
    Ok(())
}

/// The first offset of each partition's log, in one attempt.
///
/// # Errors
/// The brokers do not respond, or a partition has no leader.
pub(super) fn log_starts<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partitions: &[i32],
) -> KafkaResult<BTreeMap<i32, i64>> {
    edges(consumer, topic, partitions, Offset::Beginning, &|| true)
}

/// The offsets of a time, or of the start or end of the log, in each partition, by one request. A
/// partition without a record at or after that time is omitted.
///
/// # Errors
/// As for [`settle`]; also if a partition has no leader.
fn edges<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partitions: &[i32],
    at: Offset,
    stopping: &dyn Fn() -> bool,
) -> KafkaResult<BTreeMap<i32, i64>> {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        // rdkafka's variants Beginning and End have the protocol's numbers for start and end
        list.add_partition_offset(topic, *partition, at)?;
    }
    if list.count() == 0 {
        return Ok(BTreeMap::new());
    }
    retry(stopping, || {
        let found = by_partition(&consumer.offsets_for_times(list.clone(), PATIENCE)?);
        let complete = matches!(at, Offset::Offset(_)) || found.len() == partitions.len();
        if complete {
            Ok(found)
        } else {
            Err(KafkaError::OffsetFetch(
                RDKafkaErrorCode::LeaderNotAvailable,
            ))
        }
    })
}
