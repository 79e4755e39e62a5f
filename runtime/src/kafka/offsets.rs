//! Where a group starts in the partitions that this host was assigned: reads what the brokers have, and commits what [`resume`] decides.
//!
//! The start of a group that has committed nothing is committed at the first assignment, for every partition of the topic at once. From
//! then on a partition without a committed offset is one that was added later, and starts at its beginning: `latest` would skip what was
//! written to it before this host saw it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::metadata::MetadataTopic;
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::{Offset, TopicPartitionList};

use super::topics::KnownTopics;
use crate::model::StartingPosition;
use event_sources::kafka::{LogAnomaly, PartitionLog, ResumeFrom, TopicIdentity, resume};

/// Each question to the broker waits this long at most, and is asked that often at most: short, because a host that is told to end
/// meanwhile waits for it.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
const QUESTIONS: usize = 5;

/// Between two questions of which the first was refused: a new topic, or a new leader, is known to all brokers within a moment.
const PAUSE: Duration = Duration::from_millis(100);

/// Asks until there is an answer, or `leaves` says that none is wanted any more.
fn answered<T>(leaves: &dyn Fn() -> bool, ask: impl Fn() -> KafkaResult<T>) -> KafkaResult<T> {
    for _ in 1..QUESTIONS {
        match ask() {
            Err(_) if !leaves() => std::thread::sleep(PAUSE),
            answer => return answer,
        }
    }
    ask()
}

/// How an assignment is to be settled.
pub(super) struct Rules<'a> {
    pub(super) start: StartingPosition,
    /// The topics that this host has read.
    pub(super) known: &'a KnownTopics,
    /// Partitions whose position the brokers refused although their log seems to have it.
    pub(super) rewritten: &'a BTreeSet<(String, i32)>,
    pub(super) leaves: &'a dyn Fn() -> bool,
}

/// What an assignment came to.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// The first offset that is read, by topic and partition.
    pub(super) starts: Vec<(String, i32, i64)>,
    /// What needs an alarm, by topic and partition.
    pub(super) findings: Vec<(String, i32, LogAnomaly)>,
    /// The ids of topics that could not be kept.
    pub(super) not_kept: Option<String>,
}

/// Sets the offset of every partition in `assigned` that does not go on at its committed one, and commits it.
///
/// # Errors
/// The brokers do not answer, or do not take a commit. Nothing of that topic was settled.
pub(super) fn settle<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    rules: &Rules<'_>,
    assigned: &mut TopicPartitionList,
) -> KafkaResult<Settled> {
    let mut topics: BTreeMap<String, BTreeSet<i32>> = BTreeMap::new();
    for element in assigned.elements() {
        topics
            .entry(element.topic().to_owned())
            .or_default()
            .insert(element.partition());
    }
    let cluster = cluster(consumer);
    let mut settled = Settled::default();
    for (topic, mine) in topics {
        let id = answered(rules.leaves, || id(consumer, &topic))?;
        let identity = rules.known.identity(&cluster, &topic, id);
        one(
            consumer,
            rules,
            (&topic, &mine, identity),
            assigned,
            &mut settled,
        )?;
        // Only now: a host that is killed before the commit finds the topic replaced once more.
        settled.not_kept = settled
            .not_kept
            .or(rules.known.remember(&cluster, &topic, id).err());
    }
    Ok(settled)
}

/// The cluster's id; brokers that tell none are all one cluster.
pub(super) fn cluster<C: ConsumerContext>(consumer: &BaseConsumer<C>) -> String {
    consumer
        .client()
        .fetch_cluster_id(PATIENCE)
        .unwrap_or_default()
}

/// The topic's id; `None`: the brokers give none.
///
/// # Errors
/// No answer in time.
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

/// Settles one topic, of which the partitions `mine` are this host's.
fn one<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    rules: &Rules<'_>,
    (topic, mine, identity): (&str, &BTreeSet<i32>, TopicIdentity),
    assigned: &mut TopicPartitionList,
    settled: &mut Settled,
) -> KafkaResult<()> {
    let mut all = TopicPartitionList::new();
    let metadata = answered(rules.leaves, || {
        consumer.fetch_metadata(Some(topic), PATIENCE)
    })?;
    for partition in metadata.topics().iter().flat_map(MetadataTopic::partitions) {
        all.add_partition(topic, partition.id());
    }
    let committed = by_partition(&answered(rules.leaves, || {
        consumer.committed_offsets(all.clone(), PATIENCE)
    })?);
    let first_time = committed.is_empty();
    // partitions that others have are begun as well while none has a committed offset
    let numbers = all
        .elements()
        .iter()
        .map(TopicPartitionListElem::partition)
        .collect::<Vec<i32>>();
    let concerned: Vec<i32> = numbers
        .into_iter()
        .filter(|p| mine.contains(p) || !committed.contains_key(p))
        .collect();
    let log_starts = edges(consumer, topic, &concerned, Offset::Beginning, rules.leaves)?;
    let ends = edges(consumer, topic, &concerned, Offset::End, rules.leaves)?;
    let by_position = if first_time {
        positions(consumer, topic, &concerned, rules, (&log_starts, &ends))?
    } else {
        BTreeMap::new()
    };
    let mut commits = TopicPartitionList::new();
    for number in concerned {
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
        let rewritten = rules.rewritten.contains(&(topic.to_owned(), number));
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
            settled.starts.push((topic.to_owned(), number, first));
            settled
                .findings
                .extend(finding.map(|finding| (topic.to_owned(), number, finding)));
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

/// The first offset of each partition's log, without a second try.
///
/// # Errors
/// The brokers do not answer, or not for each partition.
pub(super) fn log_starts<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partitions: &[i32],
) -> KafkaResult<BTreeMap<i32, i64>> {
    edges(consumer, topic, partitions, Offset::Beginning, &|| true)
}

/// Offsets that `StartingPosition` means.
fn positions<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partitions: &[i32],
    rules: &Rules<'_>,
    (log_starts, ends): (&BTreeMap<i32, i64>, &BTreeMap<i32, i64>),
) -> KafkaResult<BTreeMap<i32, i64>> {
    match rules.start {
        StartingPosition::TrimHorizon => Ok(log_starts.clone()),
        StartingPosition::Latest => Ok(ends.clone()),
        StartingPosition::AtTimestamp(at) => {
            let mut found = ends.clone();
            found.extend(edges(
                consumer,
                topic,
                partitions,
                Offset::Offset(at),
                rules.leaves,
            )?);
            Ok(found)
        }
    }
}

/// The offsets of a time in each partition, or of a log's start or end: one request for all of them. A partition that has no record of
/// that time or later is left out.
///
/// # Errors
/// As for [`settle`]; also where a partition has no leader that says where its log starts or ends.
fn edges<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    topic: &str,
    partitions: &[i32],
    at: Offset,
    leaves: &dyn Fn() -> bool,
) -> KafkaResult<BTreeMap<i32, i64>> {
    let mut list = TopicPartitionList::new();
    for partition in partitions {
        // the protocol has numbers of their own for the start and the end, which are those of rdkafka's variants
        list.add_partition_offset(topic, *partition, at)?;
    }
    if list.count() == 0 {
        return Ok(BTreeMap::new());
    }
    answered(leaves, || {
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

fn by_partition(list: &TopicPartitionList) -> BTreeMap<i32, i64> {
    let offset = |element: &TopicPartitionListElem<'_>| match element.offset() {
        Offset::Offset(offset) => Some((element.partition(), offset)),
        _ => None,
    };
    list.elements().iter().filter_map(offset).collect()
}
