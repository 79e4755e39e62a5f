//! How far a mapping is, for those who watch.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::mapping::{Offset, Partition};

/// One mapping, now.
#[derive(Debug, Clone, Default, Serialize)]
pub struct MappingStatus {
    /// Logical id.
    pub mapping: String,
    /// Function's logical id.
    pub function: String,
    /// Consumer group.
    pub group: String,
    /// Topics that it reads.
    pub topics: Vec<String>,
    /// Records that are over with: done, or discarded.
    pub records_done: u64,
    /// Records dropped by the filters; one that is read again counts again.
    pub records_filtered: u64,
    /// Batches handed to the function.
    pub batches: u64,
    /// Batches that failed, whole or in part, and were or will be tried again.
    pub failed_batches: u64,
    /// Records given up by a limit of the mapping.
    pub records_discarded: u64,
    /// Failure records that the destination took only without their payload or details.
    pub failure_records_reduced: u64,
    /// Records that were given up although no limit of the mapping says so, and that no destination holds: larger than an event, or with a
    /// failure record that the destination refuses in every form.
    pub records_lost: u64,
    /// Offsets that were deleted from their topics (retention, `DeleteRecords`) before this group read them.
    pub records_deleted_unread: u64,
    /// Partitions that were read from their start because their log is another one than before: the topic was created again, or the log
    /// was cut.
    pub logs_replaced: u64,
    /// Why records are not read: Kafka is away, or reports an error of a partition or of the whole mapping.
    pub problem: Option<String>,
    /// Why the destination takes no failure records at present; a partition waits for it.
    pub destination_problem: Option<String>,
    /// The partitions this host owns.
    pub partitions: Vec<PartitionStatus>,
}

/// One partition.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PartitionStatus {
    /// Topic.
    pub topic: String,
    /// Partition number.
    pub partition: i32,
    /// Next offset to be done; `None` before the first record.
    pub position: Option<Offset>,
    /// The log's end as last heard of.
    pub end: Option<Offset>,
    /// Records between the two.
    pub lag: Option<i64>,
    /// Records held by this host.
    pub held: usize,
    /// A slice is in flight.
    pub in_flight: bool,
    /// An operator holds it back.
    pub paused: bool,
}

/// Written by the polling thread and the driver, read by the status.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) done: AtomicU64,
    pub(super) filtered: AtomicU64,
    pub(super) batches: AtomicU64,
    pub(super) failed_batches: AtomicU64,
    pub(super) discarded: AtomicU64,
    pub(super) reduced: AtomicU64,
    pub(super) lost: AtomicU64,
    pub(super) deleted_unread: AtomicU64,
    pub(super) logs_replaced: AtomicU64,
    pub(super) away: AtomicBool,
    ends: Mutex<BTreeMap<Partition, Offset>>,
    owned: Mutex<BTreeMap<Partition, Owned>>,
    /// What keeps a partition, or all of them (`None`), from being read.
    problems: Mutex<BTreeMap<Option<Partition>, String>>,
    /// Partitions that wait for their destination, and why it takes nothing.
    waiting: Mutex<BTreeMap<Partition, String>>,
    /// Partitions that an operator holds back.
    paused: Mutex<BTreeSet<Partition>>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Owned {
    position: Option<Offset>,
    held: usize,
    in_flight: bool,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Progress {
    /// Another consumer begins: nothing is known of it yet. What was counted stays.
    pub(super) fn restarted(&self) {
        self.away.store(false, Ordering::Relaxed);
        locked(&self.owned).clear();
        locked(&self.problems).clear();
        locked(&self.waiting).clear();
    }

    /// Kafka reports this error of a partition, or of the whole mapping, until it is over (`None`).
    pub(super) fn problem(&self, of: Option<Partition>, problem: Option<String>) {
        let mut problems = locked(&self.problems);
        match problem {
            Some(problem) => drop(problems.insert(of, problem)),
            None => drop(problems.remove(&of)),
        }
    }

    pub(super) fn end(&self, partition: Partition, end: Offset) {
        locked(&self.ends).insert(partition, end);
    }

    pub(super) fn position(&self, partition: Partition, position: Offset) {
        locked(&self.owned).entry(partition).or_default().position = Some(position);
    }

    /// The partitions that an operator holds back from now on.
    pub(super) fn paused(&self, partitions: BTreeSet<Partition>) {
        *locked(&self.paused) = partitions;
    }

    /// Why the partition waits for its destination; `None`: it does not.
    pub(super) fn waits(&self, partition: Partition, why: Option<String>) {
        let mut waiting = locked(&self.waiting);
        match why {
            Some(why) => _ = waiting.insert(partition, why),
            None => _ = waiting.remove(&partition),
        }
    }

    /// What the machine holds now; partitions that it does not name are not this host's.
    pub(super) fn holds(&self, overview: impl Iterator<Item = (Partition, usize, bool)>) {
        let mut owned = locked(&self.owned);
        let before = std::mem::take(&mut *owned);
        for (partition, held, in_flight) in overview {
            let position = before.get(&partition).and_then(|owned| owned.position);
            owned.insert(partition, Owned { position, held, in_flight });
        }
    }

    pub(super) fn snapshot(&self, topics: &[String]) -> MappingStatus {
        let ends = locked(&self.ends).clone();
        let owned = locked(&self.owned).clone();
        let paused = locked(&self.paused).clone();
        let away = self.away.load(Ordering::Relaxed).then(|| "Kafka is away; records wait there".to_owned());
        let problem = away.or_else(|| locked(&self.problems).values().next().cloned());
        let partitions = owned.iter().map(|(partition, owned)| {
            let end = ends.get(partition).copied();
            PartitionStatus {
                topic: topics.get(partition.topic).cloned().unwrap_or_default(),
                partition: partition.number,
                position: owned.position,
                end,
                lag: end.zip(owned.position).map(|(end, position)| (end - position).max(0)),
                held: owned.held,
                in_flight: owned.in_flight,
                paused: paused.contains(partition),
            }
        });
        MappingStatus {
            records_done: self.done.load(Ordering::Relaxed),
            records_filtered: self.filtered.load(Ordering::Relaxed),
            batches: self.batches.load(Ordering::Relaxed),
            problem,
            destination_problem: locked(&self.waiting).values().next().cloned(),
            failed_batches: self.failed_batches.load(Ordering::Relaxed),
            records_discarded: self.discarded.load(Ordering::Relaxed),
            failure_records_reduced: self.reduced.load(Ordering::Relaxed),
            records_lost: self.lost.load(Ordering::Relaxed),
            records_deleted_unread: self.deleted_unread.load(Ordering::Relaxed),
            logs_replaced: self.logs_replaced.load(Ordering::Relaxed),
            partitions: partitions.collect(),
            ..MappingStatus::default()
        }
    }
}
