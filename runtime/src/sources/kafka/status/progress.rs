//! Counters, positions and health of a mapping. The polling thread, the driver and the monitor
//! write them, the status reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

use event_sources::health::{SourceHealth, SourceProblem, SourceWatch};
use event_sources::stream::{Holding, Offset, Partition, Slice, StreamBatchResult};
use sam_template::model::KafkaMapping;

use super::owned::OwnedPartition;
use super::problems::{away_text, held_back_text, unread_text};
use super::{LogEnd, MappingStatus, PartitionStatus};
use crate::clock::now;
use crate::invocation::{Rejected, Response, error_text};
use crate::lock::lock;

/// Counters and observations of a mapping, shared by its threads.
#[derive(Debug)]
pub(in crate::sources::kafka) struct MappingProgress {
    pub(in crate::sources::kafka) away: AtomicBool,
    /// Bootstrap servers, for texts.
    servers: String,
    observed: Mutex<Observed>,
}

#[derive(Debug, Default)]
struct Observed {
    /// Names and counters; the other fields are set in each snapshot.
    status: MappingStatus,
    whole: SourceWatch,
    owned: BTreeMap<Partition, OwnedPartition>,
    logs: BTreeMap<Partition, LogEnd>,
    /// Why a partition, or all of them (`None`), cannot be read.
    problems: BTreeMap<Option<Partition>, SourceProblem>,
    /// Faults of topics.
    topics: BTreeMap<String, SourceProblem>,
    /// Why the group assigns nothing to this host.
    group: Option<SourceProblem>,
    /// Why the last run of the mapping ended, until a partition is assigned to the next one.
    ended: Option<SourceProblem>,
    /// Partitions that wait for their destination, and why it is unavailable.
    waiting: BTreeMap<Partition, String>,
    paused: bool,
    paused_partitions: BTreeSet<Partition>,
}

/// Sets or removes the value of a key.
fn set<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: Option<V>) {
    match value {
        Some(value) => _ = map.insert(key, value),
        None => _ = map.remove(&key),
    }
}

impl MappingProgress {
    pub(in crate::sources::kafka) fn new(mapping: &KafkaMapping) -> Self {
        let status = MappingStatus {
            mapping: mapping.id.clone(),
            function: mapping.function.clone(),
            group: mapping.group.clone(),
            topics: mapping.topics.clone(),
            ..MappingStatus::default()
        };
        Self {
            away: AtomicBool::new(false),
            servers: mapping.bootstrap_servers.clone(),
            observed: Mutex::new(Observed {
                status,
                whole: SourceWatch::new(now()),
                ..Observed::default()
            }),
        }
    }

    fn observed(&self) -> MutexGuard<'_, Observed> {
        lock(&self.observed)
    }

    /// Changes counters.
    pub(in crate::sources::kafka) fn count(&self, change: impl FnOnce(&mut MappingStatus)) {
        change(&mut self.observed().status);
    }

    /// A new consumer starts: forgets everything but the counters.
    pub(in crate::sources::kafka) fn reset(&self) {
        self.away.store(false, Ordering::Relaxed);
        let mut observed = self.observed();
        observed.owned.clear();
        observed.logs.clear();
        observed.problems.clear();
        observed.group = None;
        observed.waiting.clear();
    }

    /// A run failed. That is the mapping's problem until a partition is assigned to the next run.
    pub(in crate::sources::kafka) fn run_failed(&self, why: &str) {
        let mut observed = self.observed();
        let ended = SourceProblem::stuck(format!(
            "the mapping's last consumer ended ({why}); another one is joining the group"
        ));
        observed.whole.noted(now(), why);
        observed.whole.problem(now(), Some(ended.clone()));
        observed.ended = Some(ended);
    }

    /// Sets why a partition, or the whole mapping, cannot be read. `None`: it can be read again.
    pub(in crate::sources::kafka) fn set_problem(
        &self,
        of: Option<Partition>,
        problem: Option<String>,
    ) {
        self.report(of, problem.map(SourceProblem::stuck));
    }

    /// As [`Self::set_problem`], with the state of the source.
    pub(in crate::sources::kafka) fn report(
        &self,
        of: Option<Partition>,
        problem: Option<SourceProblem>,
    ) {
        let mut observed = self.observed();
        let now = now();
        if let Some(problem) = &problem {
            match of.and_then(|partition| observed.owned.get_mut(&partition)) {
                Some(owned) => owned.watch.noted(now, &problem.reason),
                None => observed.whole.noted(now, &problem.reason),
            }
        }
        set(&mut observed.problems, of, problem);
    }

    /// Notes an error of librdkafka, which may be temporary.
    pub(in crate::sources::kafka) fn note_error(&self, error: &str) {
        self.observed().whole.noted(now(), error);
    }

    /// Sets the end of a partition's log from librdkafka's statistics.
    pub(in crate::sources::kafka) fn set_log_end(&self, partition: Partition, end: LogEnd) {
        self.observed()
            .logs
            .entry(partition)
            .or_default()
            .report(end);
    }

    /// Sets the fault of a topic, if it has one.
    pub(in crate::sources::kafka) fn set_topic(&self, topic: &str, fault: Option<SourceProblem>) {
        set(&mut self.observed().topics, topic.to_owned(), fault);
    }

    /// Sets why the group assigns nothing to this host. `None`: it does, or other members have
    /// everything.
    pub(in crate::sources::kafka) fn set_group_problem(&self, why: Option<String>) {
        self.observed().group = why.map(SourceProblem::stuck);
    }

    /// This host owns no partition.
    pub(in crate::sources::kafka) fn owns_nothing(&self) -> bool {
        self.observed().owned.is_empty()
    }

    /// Sets the last stable offset of a partition from a lookup.
    pub(in crate::sources::kafka) fn set_stable_end(&self, partition: Partition, stable: Offset) {
        self.observed()
            .logs
            .entry(partition)
            .or_default()
            .look_up(stable);
    }

    /// What librdkafka does not report: topics without a partition of this host, and partitions
    /// that are not fetched because their buffer is full.
    pub(in crate::sources::kafka) fn missing(&self, topics: usize) -> (Vec<usize>, Vec<Partition>) {
        let observed = self.observed();
        let unread = |topic: &usize| {
            !observed
                .owned
                .keys()
                .any(|partition| partition.topic == *topic)
        };
        let full = observed
            .owned
            .values()
            .filter(|owned| owned.holding.full)
            .map(|owned| owned.holding.partition);
        ((0..topics).filter(unread).collect(), full.collect())
    }

    pub(in crate::sources::kafka) fn set_position(&self, partition: Partition, position: Offset) {
        let mut observed = self.observed();
        let now = now();
        let owned = observed
            .owned
            .entry(partition)
            .or_insert_with(|| OwnedPartition::new(now, partition));
        owned.done = Some(position);
        owned.watch.progressed(now);
        observed.whole.progressed(now);
    }

    /// Sets what an operator paused: the whole mapping, or these partitions.
    pub(in crate::sources::kafka) fn set_paused(&self, all: bool, partitions: BTreeSet<Partition>) {
        let mut observed = self.observed();
        (observed.paused, observed.paused_partitions) = (all, partitions);
    }

    /// Sets why a partition waits for its destination; `None`: it does not wait.
    pub(in crate::sources::kafka) fn set_destination_problem(
        &self,
        partition: Partition,
        why: Option<String>,
    ) {
        set(&mut self.observed().waiting, partition, why);
    }

    /// Records the result of an invocation with these slices.
    pub(in crate::sources::kafka) fn batch_finished(
        &self,
        slices: &[Slice],
        finish: &StreamBatchResult,
        result: &Result<Response, Rejected>,
    ) {
        let mut observed = self.observed();
        let now = now();
        let error = error_text(result)
            .unwrap_or_else(|| "its response reports failed records, or is malformed".to_owned());
        for slice in slices {
            let Some(owned) = observed.owned.get_mut(&slice.partition) else {
                continue;
            };
            let failed_at = match finish {
                StreamBatchResult::NotInvoked => {
                    if let Err(rejected) = result {
                        owned
                            .watch
                            .refused(format!("the function does not begin: {rejected}"));
                    }
                    continue;
                }
                StreamBatchResult::Failed => Some(slice.first),
                StreamBatchResult::Answered(failures) => failures
                    .iter()
                    .filter(|failure| failure.partition == slice.partition)
                    .map(|failure| failure.offset)
                    .min(),
            };
            // the records before the first failed one succeeded
            if failed_at != Some(slice.first) {
                owned.watch.succeeded(now);
            }
            if let Some(offset) = failed_at {
                owned
                    .watch
                    .failed(now, &format!("{error} (from offset {offset} on)"));
            }
        }
    }

    /// Updates the assigned partitions from the machine's overview, and the problems of each.
    pub(in crate::sources::kafka) fn update(&self, holdings: impl Iterator<Item = Holding>) {
        let mut observed = self.observed();
        let now = now();
        let observed = &mut *observed;
        let mut before = std::mem::take(&mut observed.owned);
        for holding in holdings {
            let partition = holding.partition;
            let mut owned = before
                .remove(&partition)
                .unwrap_or_else(|| OwnedPartition::new(now, partition));
            owned.holding = holding;
            observed.owned.insert(partition, owned);
        }
        if !observed.owned.is_empty() {
            (observed.ended, observed.group) = (None, None);
        }
        let away = self
            .away
            .load(Ordering::Relaxed)
            .then(|| SourceProblem::away(away_text(&self.servers, &observed.whole)));
        for (partition, owned) in &mut observed.owned {
            let log = observed.logs.get(partition).copied().unwrap_or_default();
            owned.watch.waits(now, owned.waiting(now, log));
            owned.watch.paused(
                now,
                observed.paused || observed.paused_partitions.contains(partition),
            );
            let topic = observed.status.topics.get(partition.topic);
            let place = format!("{}-{}", topic.map_or("", String::as_str), partition.number);
            owned.watch.blocked(
                owned
                    .held_back(log)
                    .map(|(stable, records)| held_back_text(&place, stable, records)),
            );
            owned.watch.unexplained(
                owned
                    .unread(log)
                    .map(|position| unread_text(&place, position)),
            );
            let stuck = observed
                .waiting
                .get(partition)
                .map(|why| SourceProblem::stuck(why.clone()));
            let problem = observed.problems.get(&Some(*partition)).cloned().or(stuck);
            owned.watch.problem(now, away.clone().or(problem));
        }
        let missing = observed
            .topics
            .values()
            .max_by_key(|problem| problem.state)
            .cloned();
        let own = observed.problems.get(&None).cloned();
        observed.whole.problem(
            now,
            away.or(missing)
                .or(own)
                .or_else(|| observed.group.clone())
                .or_else(|| observed.ended.clone()),
        );
        observed.whole.paused(now, observed.paused);
    }

    pub(in crate::sources::kafka) fn snapshot(&self) -> MappingStatus {
        let observed = self.observed();
        let now = now();
        let topics = &observed.status.topics;
        let paused = |partition| observed.paused || observed.paused_partitions.contains(partition);
        let partitions: Vec<PartitionStatus> = observed
            .owned
            .iter()
            .map(|(partition, owned)| {
                let log = observed.logs.get(partition).copied().unwrap_or_default();
                PartitionStatus {
                    topic: topics.get(partition.topic).cloned().unwrap_or_default(),
                    partition: partition.number,
                    position: owned.position(log),
                    end: log.high_end(),
                    stable_end: log.stable_end(),
                    lag: owned.lag(log),
                    held: owned.holding.held,
                    in_flight: owned.holding.in_flight,
                    paused: paused(partition),
                    health: owned.watch.health(now),
                }
            })
            .collect();
        let whole = observed.whole.health(now);
        let health = SourceHealth::of_parts(
            std::iter::once(&whole).chain(partitions.iter().map(|partition| &partition.health)),
        );
        MappingStatus {
            problem: health.problem(),
            health,
            destination_problem: observed.waiting.values().next().cloned(),
            partitions,
            ..observed.status.clone()
        }
    }
}
