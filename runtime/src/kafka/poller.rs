//! The thread that polls: fetched messages become encoded chunks for the driver.
//!
//! It always polls the consumer's own queue, even with every partition held back: rebalances and errors come by it, and the
//! group would think this host dead. Records come by a queue per partition.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, PoisonError};
use std::thread::Thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::error::{KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use tokio::sync::mpsc::Sender;

use super::broken::Broken;
use super::buffer::Chunk;
use super::consumer::{Change, Context, Event, MappingConsumer, partition};
use super::encode;
use super::offsets::PATIENCE;
use super::trouble::Trouble;
use event_sources::stream::{Offset, Partition};

/// A chunk is handed on when it has this many bytes: what a body should have, and enough to make the hand-over cheap.
const CHUNK_BYTES: usize = 512 * 1024;

/// Or when its first record has waited this long while others keep arriving.
const CHUNK_WAIT: Duration = Duration::from_millis(5);

/// How long the thread sleeps when there is nothing: a record or an order wakes it, a rebalance does not.
const REST: Duration = Duration::from_millis(20);

/// Rounds in a row in which a partition's queue was empty: so many mean that it was read to its end.
const EMPTY: u32 = 3;

/// How long a seek may take: librdkafka's own threads do it, without the brokers.
const SEEK: Duration = Duration::from_secs(5);

/// What the driver tells the polling thread.
#[derive(Debug)]
pub(super) enum Order {
    /// The memory of a chunk that is done.
    Reuse(Vec<u8>),
    /// Read no more of it for now.
    Hold(Partition),
    /// Read on.
    Read(Partition),
    /// Read from this offset on, and say so with [`Event::Sought`].
    Seek(Partition, Offset),
}

/// The driver's way to the polling thread.
#[derive(Debug)]
pub(super) struct Orders {
    pub(super) orders: mpsc::Sender<Order>,
    pub(super) thread: Thread,
}

impl Orders {
    pub(super) fn send(&self, order: Order) {
        let wakes = matches!(order, Order::Read(_) | Order::Seek(..));
        // the thread is gone only at the very end
        let _ = self.orders.send(order);
        if wakes {
            self.thread.unpark();
        }
    }
}

/// A thread that is to panic on purpose does so after this time: it is at work by then.
const BEFORE_THE_PANIC: Duration = Duration::from_secs(1);

/// Why polling ends.
#[derive(Debug)]
enum End {
    /// The driver takes nothing more: the host is ending.
    Over,
    /// The consumer cannot go on.
    Broken(Broken),
}

/// What is fetched of a partition, and how each of its records begins.
struct Queue {
    fetched: PartitionQueue<Context>,
    start: Vec<u8>,
}

struct Poller<'a> {
    consumer: &'a MappingConsumer,
    context: &'a Arc<Context>,
    events: &'a Sender<Event>,
    /// Records of a chunk at most.
    batch: usize,
    queues: BTreeMap<Partition, Queue>,
    held: BTreeSet<Partition>,
    open: BTreeMap<Partition, Chunk>,
    /// Next offset to read.
    next: BTreeMap<Partition, Offset>,
    /// How often in a row a partition's queue was found empty.
    empty: BTreeMap<Partition, u32>,
    /// When the oldest of them was begun.
    since: Instant,
    spare: Vec<Vec<u8>>,
    trouble: Trouble,
}

/// Polls until `stop`, or until the driver is gone. `panics`: it panics on purpose.
///
/// # Errors
/// Why the consumer cannot go on.
pub(super) fn poll(
    consumer: &MappingConsumer,
    events: &Sender<Event>,
    orders: &mpsc::Receiver<Order>,
    stop: &AtomicBool,
    batch: usize,
    panics: bool,
) -> Result<(), Broken> {
    let mut poller = Poller {
        consumer,
        context: consumer.context(),
        events,
        batch,
        queues: BTreeMap::new(),
        held: BTreeSet::new(),
        open: BTreeMap::new(),
        next: BTreeMap::new(),
        empty: BTreeMap::new(),
        since: Instant::now(),
        spare: Vec::new(),
        trouble: Trouble::default(),
    };
    let begun = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        assert!(
            !panics || begun.elapsed() < BEFORE_THE_PANIC,
            "on purpose: --panic"
        );
        match poller.obey(orders).and_then(|()| poller.turn()) {
            Ok(true) => {}
            Ok(false) => std::thread::park_timeout(REST),
            Err(End::Over) => break,
            Err(End::Broken(broken)) => return Err(broken),
        }
    }
    Ok(())
}

impl Poller<'_> {
    /// Takes what there is, and hands on what is full or has waited long enough. Whether there was anything.
    fn turn(&mut self) -> Result<bool, End> {
        let own = self.consumer.poll(Duration::ZERO);
        self.follow();
        let mut busy = own.is_some();
        if let Some(message) = own {
            self.take_own(message)?;
        }
        busy |= self.round()? > 0;
        if !busy || self.since.elapsed() >= CHUNK_WAIT {
            self.flush()?;
            self.pass_gaps()?;
        }
        self.trouble.look(Instant::now(), self.context);
        Ok(busy)
    }

    fn obey(&mut self, orders: &mpsc::Receiver<Order>) -> Result<(), End> {
        while let Ok(order) = orders.try_recv() {
            match order {
                Order::Seek(partition, offset) => self.seek(partition, offset)?,
                Order::Reuse(memory) => self.spare.push(memory),
                Order::Hold(partition) => {
                    // what is fetched meanwhile stays in its queue
                    self.empty.remove(&partition);
                    self.held.insert(partition);
                }
                Order::Read(partition) => _ = self.held.remove(&partition),
            }
        }
        Ok(())
    }

    /// Has the consumer fetch from elsewhere. librdkafka drops what it has fetched; what was read before is handed on first.
    fn seek(&mut self, partition: Partition, offset: Offset) -> Result<(), End> {
        self.hand_on(partition)?;
        let topic = &self.context.topics[partition.topic];
        let sought = self.consumer.seek(
            topic,
            partition.number,
            rdkafka::Offset::Offset(offset),
            SEEK,
        );
        let sought = sought.map_err(|error| error.to_string());
        if sought.is_ok() {
            // what could not be read lies elsewhere
            self.trouble.went(partition, self.context);
            self.begins_at(partition, Some(offset));
        }
        self.events
            .blocking_send(Event::Sought(partition, offset, sought))
            .map_err(|_| End::Over)
    }

    /// The partition is read from here on, as far as that is known.
    fn begins_at(&mut self, partition: Partition, next: Option<Offset>) {
        self.context
            .fetched
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .moved(partition);
        self.empty.remove(&partition);
        match next {
            Some(next) => _ = self.next.insert(partition, next),
            None => _ = self.next.remove(&partition),
        }
    }

    /// Takes over what a rebalance has brought. What was read of a partition that went is not for the driver any more.
    fn follow(&mut self) {
        for change in self.context.changes() {
            match change {
                Change::Came(partition, queue, next) => {
                    self.open.remove(&partition);
                    self.begins_at(partition, next);
                    self.trouble.came(partition, self.context);
                    let start = encode::record_start(
                        &self.context.topics[partition.topic],
                        partition.number,
                    );
                    self.queues.insert(
                        partition,
                        Queue {
                            fetched: queue,
                            start,
                        },
                    );
                }
                Change::Went(partition) => {
                    self.queues.remove(&partition);
                    self.open.remove(&partition);
                    self.begins_at(partition, None);
                    self.trouble.went(partition, self.context);
                }
            }
        }
    }

    /// Reads from each partition in turn, a chunk at most: after each the driver may have the partition held back. How many records that
    /// were.
    fn round(&mut self) -> Result<usize, End> {
        let queues = std::mem::take(&mut self.queues);
        let mut taken = 0;
        let mut read = || {
            for (partition, queue) in &queues {
                if self.held.contains(partition) {
                    continue;
                }
                let before = taken;
                for message in (0..self.batch).map_while(|_| queue.fetched.poll(Duration::ZERO)) {
                    taken += 1;
                    if self.take(*partition, &queue.start, message)? {
                        break;
                    }
                }
                let empty = self.empty.entry(*partition).or_default();
                *empty = if taken > before {
                    0
                } else {
                    empty.saturating_add(1)
                };
            }
            Ok(taken)
        };
        let read = read();
        self.queues = queues;
        read
    }

    /// Where everything that was fetched is read, offsets behind it that have no record need nothing.
    fn pass_gaps(&mut self) -> Result<(), End> {
        let fetched = self
            .context
            .fetched
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
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
            self.hand_on(partition)?;
        }
        Ok(())
    }

    /// The partition's open chunk.
    fn chunk(&mut self, partition: Partition) -> &mut Chunk {
        if self.open.is_empty() {
            self.since = Instant::now();
        }
        self.open
            .entry(partition)
            .or_insert_with(|| Chunk::reusing(self.spare.pop().unwrap_or_default()))
    }

    /// The brokers do not have the partition's position. Another consumer settles where it goes on.
    fn astray(&mut self, partition: Partition) -> Result<(), End> {
        self.hand_on(partition)?;
        let topic = &self.context.topics[partition.topic];
        let number = partition.number;
        let place = self.next.get(&partition).map_or_else(String::new, |next| {
            format!(" at offset {next}, the next to read")
        });
        if let Some(next) = self.next.get(&partition)
            && let Ok((start, end)) = self.consumer.fetch_watermarks(topic, number, PATIENCE)
            && (start..=end).contains(next)
        {
            self.context
                .known
                .rewritten()
                .insert((topic.clone(), number));
        }
        let why = format!(
            "{topic}-{number} cannot be read{place}: its log does not have it any more. Another consumer settles where it goes on"
        );
        tracing::warn!(
            mapping = self.context.mapping,
            topic,
            partition = number,
            "{why}, once what is held of it is done"
        );
        self.context
            .progress
            .problem(Some(partition), Some(why.clone()));
        self.events
            .blocking_send(Event::Astray(vec![partition], why))
            .map_err(|_| End::Over)
    }

    /// Adds a message to its partition's chunk, and hands the chunk on when it is full: then true. `start`: its
    /// [`encode::record_start`].
    fn take(
        &mut self,
        partition: Partition,
        start: &[u8],
        message: KafkaResult<BorrowedMessage<'_>>,
    ) -> Result<bool, End> {
        let Some(message) = self.sound(Some(partition), message)? else {
            return Ok(false);
        };
        // the log was replaced within one fetch: a chunk's offsets only rise
        let again = self
            .open
            .get(&partition)
            .and_then(Chunk::end)
            .is_some_and(|last| last >= message.offset());
        if again {
            self.hand_on(partition)?;
        }
        let context = self.context;
        let batch = self.batch;
        let chunk = self.chunk(partition);
        if !append(chunk, start, &message, context) {
            context.progress.filtered.fetch_add(1, Ordering::Relaxed);
        }
        let full = chunk.bytes() >= CHUNK_BYTES || chunk.len() >= batch;
        if full {
            self.hand_on(partition)?;
        }
        Ok(full)
    }

    /// The message, if it is one; an error is reported. `partition`: whose queue it came by; `None`: the consumer's own.
    fn sound<'m>(
        &mut self,
        partition: Option<Partition>,
        message: KafkaResult<BorrowedMessage<'m>>,
    ) -> Result<Option<BorrowedMessage<'m>>, End> {
        let error = match message {
            Ok(message) => {
                self.trouble.over(partition, self.context);
                return Ok(Some(message));
            }
            Err(error) => error,
        };
        if let Some((code, why)) = self.consumer.client().fatal_error() {
            return Err(End::Broken(match code {
                RDKafkaErrorCode::FencedInstanceId => Broken::Fenced,
                code => Broken::Other(format!("its consumer cannot go on ({code}: {why})")),
            }));
        }
        if let Some(partition) = partition
            && error.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset)
        {
            self.astray(partition)?;
            return Ok(None);
        }
        self.trouble
            .failed(Instant::now(), partition, &error, self.consumer);
        Ok(None)
    }

    /// What comes by the consumer's own queue: errors, and perhaps a record that came before its partition's queue.
    fn take_own(&mut self, message: KafkaResult<BorrowedMessage<'_>>) -> Result<(), End> {
        let Some(message) = self.sound(None, message)? else {
            return Ok(());
        };
        let Some(partition) = partition(&self.context.topics, message.topic(), message.partition())
        else {
            return Ok(());
        };
        let start = encode::record_start(message.topic(), message.partition());
        self.take(partition, &start, Ok(message)).map(drop)
    }

    fn hand_on(&mut self, partition: Partition) -> Result<(), End> {
        let Some(chunk) = self.open.remove(&partition) else {
            return Ok(());
        };
        if let Some(end) = chunk.end() {
            self.next.insert(partition, end + 1);
        }
        self.trouble.read(partition, chunk.end());
        self.events
            .blocking_send(Event::Records(partition, chunk))
            .map_err(|_| End::Over)
    }

    /// Hands every open chunk on.
    fn flush(&mut self) -> Result<(), End> {
        while let Some(partition) = self.open.keys().next().copied() {
            self.hand_on(partition)?;
        }
        Ok(())
    }
}

/// Adds a message to its chunk; of one that the filters drop only the offset, and then says false.
fn append(
    chunk: &mut Chunk,
    start: &[u8],
    message: &BorrowedMessage<'_>,
    context: &Context,
) -> bool {
    if context
        .filters
        .as_ref()
        .is_some_and(|filters| !filters.keep(message.payload()))
    {
        chunk.skip(message.offset());
        return false;
    }
    let headers = kafka_headers::headers(message).unwrap_or_else(|error| {
        tracing::error!(alarm = "record_headers_malformed", mapping = %context.mapping, topic = message.topic(), partition = message.partition(), offset = message.offset(),
            "the headers of a record break Kafka's format ({error}); the function gets the record without them");
        Vec::new()
    });
    let time = message.timestamp().to_millis().unwrap_or(-1);
    chunk.push(message.offset(), time, |out| {
        encode::record(start, message, &headers, out);
    });
    true
}
