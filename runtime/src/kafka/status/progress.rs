//! Counters, positions and health of a mapping. The polling thread, the driver and the monitor
//! write them, the status reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use event_sources::Millis;
use event_sources::health::{SourceHealth, SourceProblem, SourceWatch};
use event_sources::stream::{Holding, Offset, Partition, Slice, StreamBatchResult};
use jiff::Timestamp;

use super::owned::OwnedPartition;
use super::problems::{away_text, held_back_text, unread_text};
use super::{LogEnd, MappingStatus, PartitionStatus};
use crate::invocation::{Rejected, Response, error_text};

/// Counters and observations of a mapping, shared by its threads.
#[derive(Debug, Default)]
pub(in crate::kafka) struct MappingProgress {
    pub(in crate::kafka) done: AtomicU64,
    pub(in crate::kafka) filtered: AtomicU64,
    pub(in crate::kafka) batches: AtomicU64,
    pub(in crate::kafka) failed_batches: AtomicU64,
    pub(in crate::kafka) discarded: AtomicU64,
    pub(in crate::kafka) reduced: AtomicU64,
    pub(in crate::kafka) lost: AtomicU64,
    pub(in crate::kafka) deleted_unread: AtomicU64,
    pub(in crate::kafka) logs_replaced: AtomicU64,
    pub(in crate::kafka) away: AtomicBool,
    observed: Mutex<Observed>,
}

/// What a survey found of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::kafka) enum TopicFound {
    /// The cluster has it.
    Exists,
    /// The cluster does not have it, or the login may not read it.
    Fault(SourceProblem),
}

#[derive(Debug)]
struct Observed {
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

impl Default for Observed {
    fn default() -> Self {
        Self {
            whole: SourceWatch::new(now()),
            owned: BTreeMap::new(),
            logs: BTreeMap::new(),
            problems: BTreeMap::new(),
            topics: BTreeMap::new(),
            group: None,
            ended: None,
            waiting: BTreeMap::new(),
            paused: false,
            paused_partitions: BTreeSet::new(),
        }
    }
}

fn now() -> Millis {
    Timestamp::now().as_millisecond()
}

impl MappingProgress {
    fn observed(&self) -> MutexGuard<'_, Observed> {
        self.observed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new consumer starts: forgets everything but the counters.
    pub(in crate::kafka) fn reset(&self) {
        self.away.store(false, Ordering::Relaxed);
        let mut observed = self.observed();
        observed.owned.clear();
        observed.logs.clear();
        observed.problems.clear();
        observed.group = None;
        observed.waiting.clear();
    }

    /// A run failed. That is the mapping's problem until a partition is assigned to the next run.
    pub(in crate::kafka) fn run_failed(&self, why: &str) {
        let mut observed = self.observed();
        let ended = SourceProblem::stuck(format!(
            "the mapping's last consumer ended ({why}); another one is joining the group"
        ));
        observed.whole.noted(now(), why);
        observed.whole.problem(now(), Some(ended.clone()));
        observed.ended = Some(ended);
    }

    /// Sets why a partition, or the whole mapping, cannot be read. `None`: it can be read again.
    pub(in crate::kafka) fn set_problem(&self, of: Option<Partition>, problem: Option<String>) {
        self.report(of, problem.map(SourceProblem::stuck));
    }

    /// As [`Self::set_problem`], with the state of the source.
    pub(in crate::kafka) fn report(&self, of: Option<Partition>, problem: Option<SourceProblem>) {
        let mut observed = self.observed();
        let now = now();
        if let Some(problem) = &problem {
            match of.and_then(|partition| observed.owned.get_mut(&partition)) {
                Some(owned) => owned.watch.noted(now, &problem.reason),
                None => observed.whole.noted(now, &problem.reason),
            }
        }
        match problem {
            Some(problem) => _ = observed.problems.insert(of, problem),
            None => _ = observed.problems.remove(&of),
        }
    }

    /// Notes an error of librdkafka, which may be temporary.
    pub(in crate::kafka) fn note_error(&self, error: &str) {
        self.observed().whole.noted(now(), error);
    }

    /// Sets the end of a partition's log from librdkafka's statistics.
    pub(in crate::kafka) fn set_log_end(&self, partition: Partition, end: LogEnd) {
        self.observed()
            .logs
            .entry(partition)
            .or_default()
            .report(end);
    }

    /// Sets the result of a check of a topic.
    pub(in crate::kafka) fn set_topic(&self, topic: &str, finding: TopicFound) {
        let mut observed = self.observed();
        match finding {
            TopicFound::Exists => _ = observed.topics.remove(topic),
            TopicFound::Fault(problem) => _ = observed.topics.insert(topic.to_owned(), problem),
        }
    }

    /// Sets why the group assigns nothing to this host. `None`: it does, or other members have
    /// everything.
    pub(in crate::kafka) fn set_group_problem(&self, why: Option<String>) {
        self.observed().group = why.map(SourceProblem::stuck);
    }

    /// This host owns no partition.
    pub(in crate::kafka) fn owns_nothing(&self) -> bool {
        self.observed().owned.is_empty()
    }

    /// Sets the last stable offset of a partition from a lookup.
    pub(in crate::kafka) fn set_stable_end(&self, partition: Partition, stable: Offset) {
        self.observed()
            .logs
            .entry(partition)
            .or_default()
            .look_up(stable);
    }

    /// What librdkafka does not report: topics without a partition of this host, and partitions
    /// that are not fetched because their buffer is full.
    pub(in crate::kafka) fn missing(&self, topics: usize) -> (Vec<usize>, Vec<Partition>) {
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

    pub(in crate::kafka) fn set_position(&self, partition: Partition, position: Offset) {
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
    pub(in crate::kafka) fn set_paused(&self, all: bool, partitions: BTreeSet<Partition>) {
        let mut observed = self.observed();
        (observed.paused, observed.paused_partitions) = (all, partitions);
    }

    /// Sets why a partition waits for its destination; `None`: it does not wait.
    pub(in crate::kafka) fn set_destination_problem(
        &self,
        partition: Partition,
        why: Option<String>,
    ) {
        let mut observed = self.observed();
        match why {
            Some(why) => _ = observed.waiting.insert(partition, why),
            None => _ = observed.waiting.remove(&partition),
        }
    }

    /// Records the result of an invocation with these slices.
    pub(in crate::kafka) fn batch_finished(
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
    pub(in crate::kafka) fn update(
        &self,
        topics: &[String],
        holdings: impl Iterator<Item = Holding>,
    ) {
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
            .then(|| SourceProblem::away(away_text(&observed.whole)));
        for (partition, owned) in &mut observed.owned {
            let log = observed.logs.get(partition).copied().unwrap_or_default();
            owned.watch.waits(now, owned.waiting(now, log));
            owned.watch.paused(
                now,
                observed.paused || observed.paused_partitions.contains(partition),
            );
            let place = format!(
                "{}-{}",
                topics.get(partition.topic).map_or("", String::as_str),
                partition.number
            );
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

    pub(in crate::kafka) fn snapshot(&self, topics: &[String]) -> MappingStatus {
        let observed = self.observed();
        let now = now();
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
            records_done: self.done.load(Ordering::Relaxed),
            records_filtered: self.filtered.load(Ordering::Relaxed),
            batches: self.batches.load(Ordering::Relaxed),
            problem: health.problem(),
            health,
            destination_problem: observed.waiting.values().next().cloned(),
            failed_batches: self.failed_batches.load(Ordering::Relaxed),
            records_discarded: self.discarded.load(Ordering::Relaxed),
            failure_records_reduced: self.reduced.load(Ordering::Relaxed),
            records_lost: self.lost.load(Ordering::Relaxed),
            records_deleted_unread: self.deleted_unread.load(Ordering::Relaxed),
            logs_replaced: self.logs_replaced.load(Ordering::Relaxed),
            partitions,
            ..MappingStatus::default()
        }
    }
}
