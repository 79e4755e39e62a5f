//! The polling thread of a mapping: fetched messages become encoded chunks for the driver.
//!
//! `commands` are what the driver sends to the thread; `read` reads messages and fills chunks.
//!
//! The thread polls the consumer's own queue even if every partition is paused: rebalances and
//! errors arrive there, and the group removes a member that does not poll. Records arrive in a
//! queue per partition.

mod commands;
mod read;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use event_sources::stream::{Offset, Partition};
use rdkafka::consumer::Consumer;
use rdkafka::consumer::base_consumer::PartitionQueue;

use crate::lock::lock;
use crate::sources::kafka::buffer::Chunk;
use crate::sources::kafka::consumer::{
    AssignmentChange, ConsumerEvent, MappingConsumer, MappingContext,
};
use crate::sources::kafka::consumer_failure::ConsumerFailure;
use crate::sources::kafka::encode;
use crate::sources::kafka::read_errors::ReadErrors;
pub(super) use commands::{PollerCommand, PollerCommands};

/// A chunk of this size in bytes is sent to the driver.
const CHUNK_BYTES: usize = 512 * 1024;

/// A chunk has room for a batch, and for so many records where batches are smaller: each chunk costs
/// a switch between threads.
const CHUNK_RECORDS: usize = 500;

/// A smaller chunk is sent when its first record has waited this long.
const CHUNK_WAIT: Duration = Duration::from_millis(5);

/// How long the thread sleeps after a round without records. A record, a command or an event of the
/// consumer wakes it.
const REST: Duration = Duration::from_millis(20);

/// The same after [`EMPTY`] such rounds: no partition has a gap to skip then.
const LONG_REST: Duration = Duration::from_millis(500);

/// A partition whose queue was empty in so many consecutive rounds was read to its end.
const EMPTY: u32 = 3;

/// Time limit of a seek, which needs no request to the brokers.
const SEEK: Duration = Duration::from_secs(5);

/// Delay of a panic on purpose: the thread is polling by then.
const PANIC_DELAY: Duration = Duration::from_secs(1);

/// The fetched messages of a partition, and the beginning of its encoded records.
struct Queue {
    fetched: PartitionQueue<MappingContext>,
    start: Vec<u8>,
}

struct Poller<'a> {
    consumer: &'a MappingConsumer,
    context: &'a Arc<MappingContext>,
    /// Maximum of records in a chunk.
    chunk_records: usize,
    queues: BTreeMap<Partition, Queue>,
    paused: BTreeSet<Partition>,
    open: BTreeMap<Partition, Chunk>,
    /// Next offset to read.
    next: BTreeMap<Partition, Offset>,
    /// Consecutive rounds in which the queue of a partition was empty.
    empty: BTreeMap<Partition, u32>,
    /// When the oldest open chunk was started.
    since: Instant,
    free: Vec<Vec<u8>>,
    errors: ReadErrors,
}

/// Polls until `stop` turns true. `panic_on_purpose`: a fault for tests.
///
/// # Errors
/// The consumer failed, or the driver has ended.
pub(super) fn poll(
    consumer: &MappingConsumer,
    commands: &mpsc::Receiver<PollerCommand>,
    stop: &AtomicBool,
    batch: usize,
    panic_on_purpose: bool,
) -> Result<(), ConsumerFailure> {
    let mut poller = Poller {
        consumer,
        context: consumer.context(),
        chunk_records: batch.max(CHUNK_RECORDS),
        queues: BTreeMap::new(),
        paused: BTreeSet::new(),
        open: BTreeMap::new(),
        next: BTreeMap::new(),
        empty: BTreeMap::new(),
        since: Instant::now(),
        free: Vec::new(),
        errors: ReadErrors::default(),
    };
    let _ = poller.context.polling.set(std::thread::current());
    let started = Instant::now();
    let mut quiet: u32 = 0;
    while !stop.load(Ordering::Relaxed) {
        assert!(
            !panic_on_purpose || started.elapsed() < PANIC_DELAY,
            "on purpose: --panic"
        );
        poller.execute(commands)?;
        if poller.turn()? {
            quiet = 0;
        } else {
            quiet = quiet.saturating_add(1);
            let rest = if quiet > EMPTY { LONG_REST } else { REST };
            std::thread::park_timeout(rest);
        }
    }
    Ok(())
}

impl Poller<'_> {
    /// One round: reads the available messages and sends full or old chunks. True if it read
    /// something, or handled an event of the consumer, behind which there may be others.
    fn turn(&mut self) -> Result<bool, ConsumerFailure> {
        let own = self.consumer.poll(Duration::ZERO);
        self.apply_changes();
        let mut busy = own.is_some() || self.context.has_handled();
        if let Some(message) = own {
            self.take_own(message)?;
        }
        busy |= self.round()? > 0;
        if !busy || self.since.elapsed() >= CHUNK_WAIT {
            self.flush()?;
            self.skip_gaps()?;
        }
        self.errors.expire(Instant::now(), self.context);
        Ok(busy)
    }

    fn execute(&mut self, commands: &mpsc::Receiver<PollerCommand>) -> Result<(), ConsumerFailure> {
        while let Ok(order) = commands.try_recv() {
            match order {
                PollerCommand::Seek(partition, offset) => self.seek(partition, offset)?,
                PollerCommand::Reuse(memory) => self.free.push(memory),
                PollerCommand::Pause(partition) => {
                    // fetched messages stay in the queue
                    self.empty.remove(&partition);
                    self.paused.insert(partition);
                }
                PollerCommand::Resume(partition) => _ = self.paused.remove(&partition),
            }
        }
        Ok(())
    }

    /// Changes the position of the consumer. librdkafka discards fetched messages; the open chunk
    /// is sent first.
    fn seek(&mut self, partition: Partition, offset: Offset) -> Result<(), ConsumerFailure> {
        self.send_chunk(partition)?;
        let topic = &self.context.mapping.topics[partition.topic];
        let sought = self.consumer.seek(
            topic,
            partition.number,
            rdkafka::Offset::Offset(offset),
            SEEK,
        );
        if sought.is_ok() {
            // a read error concerned the old position
            self.errors.revoked(partition, self.context);
            self.set_position(partition, Some(offset));
        }
        self.send(ConsumerEvent::Sought(partition, offset, sought))
    }

    fn send(&self, event: ConsumerEvent) -> Result<(), ConsumerFailure> {
        if self.context.send(event) {
            Ok(())
        } else {
            Err(ConsumerFailure::Stopped)
        }
    }

    /// Sets the next offset of a partition, if known.
    fn set_position(&mut self, partition: Partition, next: Option<Offset>) {
        lock(&self.context.fetched).moved(partition);
        self.empty.remove(&partition);
        match next {
            Some(next) => _ = self.next.insert(partition, next),
            None => _ = self.next.remove(&partition),
        }
    }

    /// Applies changes of the assignment. Open chunks of revoked partitions are dropped.
    fn apply_changes(&mut self) {
        for change in self.context.changes() {
            match change {
                AssignmentChange::Added(partition, fetched, next) => {
                    self.open.remove(&partition);
                    self.set_position(partition, next);
                    self.errors.assigned(partition, self.context);
                    let start = encode::record_start(
                        &self.context.mapping.topics[partition.topic],
                        partition.number,
                    );
                    self.queues.insert(partition, Queue { fetched, start });
                }
                AssignmentChange::Removed(partition) => {
                    self.queues.remove(&partition);
                    self.open.remove(&partition);
                    self.set_position(partition, None);
                    self.errors.revoked(partition, self.context);
                }
            }
        }
    }

    /// Skips offsets without a record, in partitions whose fetched messages were all read.
    fn skip_gaps(&mut self) -> Result<(), ConsumerFailure> {
        let fetched = lock(&self.context.fetched);
        let read = |(partition, next): (&Partition, &Offset)| {
            let all = self
                .empty
                .get(partition)
                .is_some_and(|times| *times >= EMPTY);
            let through = fetched
                .through(*partition)
                .filter(|through| all && through > next)?;
            Some((*partition, through))
        };
        let gaps: Vec<(Partition, Offset)> = self.next.iter().filter_map(read).collect();
        drop(fetched);
        for (partition, next) in gaps {
            self.chunk(partition).skip(next - 1);
            self.send_chunk(partition)?;
        }
        Ok(())
    }

    /// The open chunk of a partition.
    fn chunk(&mut self, partition: Partition) -> &mut Chunk {
        if self.open.is_empty() {
            self.since = Instant::now();
        }
        self.open
            .entry(partition)
            .or_insert_with(|| Chunk::reusing(self.free.pop().unwrap_or_default()))
    }

    fn send_chunk(&mut self, partition: Partition) -> Result<(), ConsumerFailure> {
        let Some(chunk) = self.open.remove(&partition) else {
            return Ok(());
        };
        if let Some(end) = chunk.end() {
            self.next.insert(partition, end + 1);
        }
        self.errors.read(partition, chunk.end());
        self.send(ConsumerEvent::Records(partition, chunk))
    }

    /// Sends every open chunk.
    fn flush(&mut self) -> Result<(), ConsumerFailure> {
        while let Some(partition) = self.open.keys().next().copied() {
            self.send_chunk(partition)?;
        }
        Ok(())
    }
}
