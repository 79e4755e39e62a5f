//! What the polling thread, the driver and the survey observe of a mapping.

use event_sources::Millis;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::{LogEnd, MappingStatus, PartitionStatus};
use crate::invocation::{Rejected, Response, error_text};
use event_sources::health::{SourceHealth, SourceProblem, SourceWatch, WaitingWork};
use event_sources::stream::{Holding, Offset, Partition, Slice, StreamBatchResult};

/// Written by the polling thread, the driver and the survey, read by the status.
#[derive(Debug, Default)]
pub(in crate::kafka) struct Progress {
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
    There,
    /// The cluster does not have it, or does not show it.
    Fault(SourceProblem),
}

#[derive(Debug)]
struct Observed {
    whole: SourceWatch,
    owned: BTreeMap<Partition, Owned>,
    logs: BTreeMap<Partition, LogEnd>,
    /// What keeps a partition, or all of them (`None`), from being read.
    problems: BTreeMap<Option<Partition>, SourceProblem>,
    /// Faults of topics.
    topics: BTreeMap<String, SourceProblem>,
    /// Why the group gives this host nothing.
    group: Option<SourceProblem>,
    /// Why the last run of the mapping ended, until a partition is assigned to the next one.
    ended: Option<SourceProblem>,
    /// Partitions that wait for their destination, and why it takes nothing.
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

#[derive(Debug, Clone)]
pub(super) struct Owned {
    position: Option<Offset>,
    pub(super) holding: Holding,
    watch: SourceWatch,
}

impl Owned {
    pub(super) fn new(now: Millis, partition: Partition) -> Self {
        Self {
            position: None,
            holding: Holding::none(partition),
            watch: SourceWatch::new(now),
        }
    }

    /// Next offset to be done. Before anything was, it is the oldest record that is held, or where librdkafka begins to fetch.
    fn position(&self, log: LogEnd) -> Option<Offset> {
        self.position.or(self.holding.first).or(log.next)
    }

    fn lag(&self, log: LogEnd) -> Option<i64> {
        log.stable_end()
            .zip(self.position(log))
            .map(|(end, position)| (end - position).max(0))
    }

    /// Where the log has records that do not arrive.
    pub(super) fn unread(&self, log: LogEnd) -> Option<Offset> {
        let arrives = self.holding.held > 0 || self.lag(log).is_none_or(|lag| lag == 0);
        if arrives { None } else { self.position(log) }
    }

    /// What waits, if anything does.
    pub(super) fn waiting(&self, now: Millis, log: LogEnd) -> Option<WaitingWork> {
        let Holding {
            held,
            oldest,
            in_flight,
            gathers_until,
            ..
        } = self.holding;
        let waits =
            held > 0 || self.lag(log).is_some_and(|lag| lag > 0) || self.held_back(log).is_some();
        let in_flight = in_flight || gathers_until.is_some_and(|until| until > now);
        waits.then_some(WaitingWork {
            oldest,
            since: None,
            in_flight,
        })
    }

    /// Records that an open transaction holds back, once everything before them is done.
    fn held_back(&self, log: LogEnd) -> Option<(Offset, i64)> {
        let stable = log.stable_end()?;
        let held_back = log.held_back();
        (held_back > 0 && self.holding.held == 0 && self.position(log)? >= stable)
            .then_some((stable, held_back))
    }
}

fn now() -> Millis {
    Timestamp::now().as_millisecond()
}

impl Progress {
    fn observed(&self) -> MutexGuard<'_, Observed> {
        self.observed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another consumer begins: nothing is known of it yet. What was counted stays.
    pub(in crate::kafka) fn restarted(&self) {
        self.away.store(false, Ordering::Relaxed);
        let mut observed = self.observed();
        observed.owned.clear();
        observed.logs.clear();
        observed.problems.clear();
        observed.group = None;
        observed.waiting.clear();
    }

    /// The consumer cannot go on, for this reason. That is the mapping's problem until a partition is assigned to its successor.
    pub(in crate::kafka) fn ended(&self, why: &str) {
        let mut observed = self.observed();
        let ended = SourceProblem::stuck(format!(
            "the mapping's last consumer ended ({why}); another one is joining the group"
        ));
        observed.whole.noted(now(), why);
        observed.whole.problem(now(), Some(ended.clone()));
        observed.ended = Some(ended);
    }

    /// Kafka reports this error of a partition, or of the whole mapping, until it is over (`None`): records are not read.
    pub(in crate::kafka) fn problem(&self, of: Option<Partition>, problem: Option<String>) {
        self.report(of, problem.map(SourceProblem::stuck));
    }

    /// The same, with the state that the problem puts the source into.
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

    /// librdkafka reports an error, which may be a passing one.
    pub(in crate::kafka) fn noted(&self, error: &str) {
        self.observed().whole.noted(now(), error);
    }

    /// What librdkafka reports of a partition's log.
    pub(in crate::kafka) fn log(&self, partition: Partition, end: LogEnd) {
        self.observed()
            .logs
            .entry(partition)
            .or_default()
            .report(end);
    }

    /// What a survey found of a topic.
    pub(in crate::kafka) fn found(&self, topic: &str, finding: TopicFound) {
        let mut observed = self.observed();
        match finding {
            TopicFound::There => _ = observed.topics.remove(topic),
            TopicFound::Fault(problem) => _ = observed.topics.insert(topic.to_owned(), problem),
        }
    }

    /// Why the group gives this host nothing, as a survey found; `None`: it does, or others rightly have everything.
    pub(in crate::kafka) fn group(&self, why: Option<String>) {
        self.observed().group = why.map(SourceProblem::stuck);
    }

    /// This host owns no partition.
    pub(in crate::kafka) fn owns_nothing(&self) -> bool {
        self.observed().owned.is_empty()
    }

    /// The last stable offset of a partition, which a survey found.
    pub(in crate::kafka) fn looked_up(&self, partition: Partition, stable: Offset) {
        self.observed()
            .logs
            .entry(partition)
            .or_default()
            .look_up(stable);
    }

    /// What a survey should look up: topics of which this host owns no partition, and partitions that librdkafka fetches nothing of.
    pub(in crate::kafka) fn questions(&self, topics: usize) -> (Vec<usize>, Vec<Partition>) {
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

    pub(in crate::kafka) fn position(&self, partition: Partition, position: Offset) {
        let mut observed = self.observed();
        let now = now();
        let owned = observed
            .owned
            .entry(partition)
            .or_insert_with(|| Owned::new(now, partition));
        owned.position = Some(position);
        owned.watch.progressed(now);
        observed.whole.progressed(now);
    }

    /// What an operator holds back from now on: the whole mapping, or these partitions.
    pub(in crate::kafka) fn paused(&self, all: bool, partitions: BTreeSet<Partition>) {
        let mut observed = self.observed();
        (observed.paused, observed.paused_partitions) = (all, partitions);
    }

    /// Why the partition waits for its destination; `None`: it does not.
    pub(in crate::kafka) fn waits(&self, partition: Partition, why: Option<String>) {
        let mut observed = self.observed();
        match why {
            Some(why) => _ = observed.waiting.insert(partition, why),
            None => _ = observed.waiting.remove(&partition),
        }
    }

    /// What an invocation with these slices came to.
    pub(in crate::kafka) fn finished(
        &self,
        slices: &[Slice],
        finish: &StreamBatchResult,
        result: &Result<Response, Rejected>,
    ) {
        let mut observed = self.observed();
        let now = now();
        let error = error_text(result).unwrap_or_else(|| {
            "its answer reports records as failed, or cannot be read".to_owned()
        });
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
            // what came before the first failed record succeeded
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

    /// What the machine holds now; partitions that it does not name are not this host's. Classifies what has changed since.
    pub(in crate::kafka) fn holds(
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
                .unwrap_or_else(|| Owned::new(now, partition));
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

/// Why nothing comes from the brokers.
fn away_text(whole: &SourceWatch) -> String {
    let error = whole
        .last_error()
        .map(|error| format!(" ({})", error.error))
        .unwrap_or_default();
    format!(
        "Kafka is away{error}; records wait there. Start it, or correct its address or login in usher.toml"
    )
}

/// Why a partition is stuck of which nothing arrives, without any error from the brokers.
pub(super) fn unread_text(place: &str, position: Offset) -> String {
    format!(
        "nothing arrives of {place} from offset {position} on, although its log has more, and the brokers report no error. The batch there may \
         be damaged: restore the log, or pass over the batch: usher offsets seek"
    )
}

/// Why records are not delivered although they are in the log.
fn held_back_text(place: &str, stable: Offset, records: i64) -> String {
    format!(
        "an open transaction begins at offset {stable} of {place} and holds back {records} offsets. Its producer must commit or \
         abort it; the broker aborts it when the producer's transaction.timeout.ms is over. kafka-transactions.sh find-hanging names one whose \
         producer is gone, and kafka-transactions.sh abort ends it"
    )
}
