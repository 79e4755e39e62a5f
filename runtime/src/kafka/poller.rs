//! The thread that polls: fetched messages become encoded chunks for the driver.
//!
//! It always polls the consumer's own queue, even with every partition held back: rebalances and errors come by it, and the
//! group would think this host dead. Records come by a queue per partition.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::Thread;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::consumer::base_consumer::PartitionQueue;
use rdkafka::error::{KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Message};
use tokio::sync::mpsc::Sender;

use super::buffer::Chunk;
use super::consumer::{Change, Context, Event, MappingConsumer, partition};
use super::encode;
use super::trouble::Trouble;
use crate::mapping::{Offset, Partition};

/// A chunk is handed on when it has this many bytes: what a body should have, and enough to make the hand-over cheap.
const CHUNK_BYTES: usize = 512 * 1024;

/// Or when its first record has waited this long while others keep arriving.
const CHUNK_WAIT: Duration = Duration::from_millis(5);

/// How long the thread sleeps when there is nothing: a record or an order wakes it, a rebalance does not.
const REST: Duration = Duration::from_millis(20);

/// How often positions are looked at.
const POSITIONS: Duration = Duration::from_millis(500);

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

/// Why a consumer cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Broken {
    /// Its membership was taken over: by another process of the same name, or by its own next one while a broker was away.
    Fenced,
    /// Anything else.
    Other(String),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fenced => {
                f.write_str("the group has given its membership to another consumer of the same identity; it joins again")
            }
            Self::Other(why) => f.write_str(why),
        }
    }
}

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
    /// When the oldest of them was begun.
    since: Instant,
    spare: Vec<Vec<u8>>,
    trouble: Trouble,
    /// Next offset of each partition, as far as the driver was informed.
    passed: BTreeMap<Partition, Offset>,
    /// When positions were looked at last.
    looked: Instant,
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
        since: Instant::now(),
        spare: Vec::new(),
        trouble: Trouble::default(),
        passed: BTreeMap::new(),
        looked: Instant::now(),
    };
    let begun = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        assert!(!panics || begun.elapsed() < BEFORE_THE_PANIC, "on purpose: --panic");
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
        }
        if self.looked.elapsed() >= POSITIONS {
            self.looked = Instant::now();
            self.pass()?;
        }
        self.trouble.look(Instant::now(), self.context);
        Ok(busy)
    }

    fn obey(&mut self, orders: &mpsc::Receiver<Order>) -> Result<(), End> {
        while let Ok(order) = orders.try_recv() {
            match order {
                Order::Seek(partition, offset) => self.seek(partition, offset)?,
                Order::Reuse(memory) => self.spare.push(memory),
                Order::Hold(partition) => _ = self.held.insert(partition),
                Order::Read(partition) => _ = self.held.remove(&partition),
            }
        }
        Ok(())
    }

    /// Has the consumer fetch from elsewhere. librdkafka drops what it has fetched; what was read before is handed on first.
    fn seek(&mut self, partition: Partition, offset: Offset) -> Result<(), End> {
        self.hand_on(partition)?;
        self.passed.remove(&partition);
        let topic = &self.context.topics[partition.topic];
        let sought = self.consumer.seek(topic, partition.number, rdkafka::Offset::Offset(offset), SEEK);
        let sought = sought.map_err(|error| error.to_string());
        if sought.is_ok() {
            // what could not be read lies elsewhere
            self.trouble.went(partition, self.context);
        }
        self.events.blocking_send(Event::Sought(partition, offset, sought)).map_err(|_| End::Over)
    }

    /// Takes over what a rebalance has brought. What was read of a partition that went is not for the driver any more.
    fn follow(&mut self) {
        for change in self.context.changes() {
            match change {
                Change::Came(partition, queue) => {
                    self.open.remove(&partition);
                    self.passed.remove(&partition);
                    self.trouble.came(partition, self.context);
                    let start = encode::record_start(&self.context.topics[partition.topic], partition.number);
                    self.queues.insert(partition, Queue { fetched: queue, start });
                }
                Change::Went(partition) => {
                    self.queues.remove(&partition);
                    self.open.remove(&partition);
                    self.trouble.went(partition, self.context);
                }
            }
        }
    }

    /// Reads from each partition in turn, a chunk at most. How many records that were.
    fn round(&mut self) -> Result<usize, End> {
        let queues = std::mem::take(&mut self.queues);
        let mut taken = 0;
        let mut read = || {
            for (partition, queue) in &queues {
                if self.held.contains(partition) {
                    continue;
                }
                for message in (0..self.batch).map_while(|_| queue.fetched.poll(Duration::ZERO)) {
                    taken += 1;
                    self.take(*partition, &queue.start, message)?;
                }
            }
            Ok(taken)
        };
        let read = read();
        self.queues = queues;
        read
    }

    /// Adds a message to its partition's chunk, and hands the chunk on when it is full. `start`: its [`encode::record_start`].
    fn take(&mut self, partition: Partition, start: &[u8], message: KafkaResult<BorrowedMessage<'_>>) -> Result<(), End> {
        let Some(message) = self.sound(Some(partition), message)? else { return Ok(()) };
        // the log began anew within one fetch: a chunk's offsets only rise
        let again = self.open.get(&partition).and_then(Chunk::end).is_some_and(|last| last >= message.offset());
        if again {
            self.hand_on(partition)?;
        }
        if self.open.is_empty() {
            self.since = Instant::now();
        }
        let chunk = self.open.entry(partition).or_insert_with(|| Chunk::reusing(self.spare.pop().unwrap_or_default()));
        if !append(chunk, start, &message, self.context) {
            self.context.progress.filtered.fetch_add(1, Ordering::Relaxed);
        }
        if chunk.bytes() >= CHUNK_BYTES || chunk.len() >= self.batch {
            self.hand_on(partition)?;
        }
        Ok(())
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
        self.trouble.failed(Instant::now(), partition, &error, self.consumer);
        Ok(None)
    }

    /// What comes by the consumer's own queue: errors, and perhaps a record that came before its partition's queue.
    fn take_own(&mut self, message: KafkaResult<BorrowedMessage<'_>>) -> Result<(), End> {
        let Some(message) = self.sound(None, message)? else { return Ok(()) };
        let Some(partition) = partition(&self.context.topics, message.topic(), message.partition()) else { return Ok(()) };
        let start = encode::record_start(message.topic(), message.partition());
        self.take(partition, &start, Ok(message))
    }

    fn hand_on(&mut self, partition: Partition) -> Result<(), End> {
        let Some(chunk) = self.open.remove(&partition) else { return Ok(()) };
        self.trouble.read(partition, chunk.end());
        self.passed.extend(chunk.end().map(|last| (partition, last + 1)));
        self.events.blocking_send(Event::Records(partition, chunk)).map_err(|_| End::Over)
    }

    /// Informs the driver of offsets that librdkafka's position has passed without a record: transaction markers, and aborted records
    /// before one. Only this thread takes from the queues, so where no chunk is open every record below a position was handed on. A seek
    /// and an assignment reset the position.
    fn pass(&mut self) -> Result<(), End> {
        let Ok(positions) = self.consumer.position() else { return Ok(()) };
        for element in positions.elements() {
            let Some(partition) = partition(&self.context.topics, element.topic(), element.partition()) else { continue };
            let rdkafka::Offset::Offset(next) = element.offset() else { continue };
            let open = self.open.contains_key(&partition) || !self.queues.contains_key(&partition);
            if open || self.passed.get(&partition).is_some_and(|passed| *passed >= next) {
                continue;
            }
            self.passed.insert(partition, next);
            self.events.blocking_send(Event::Passed(partition, next)).map_err(|_| End::Over)?;
        }
        Ok(())
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
fn append(chunk: &mut Chunk, start: &[u8], message: &BorrowedMessage<'_>, context: &Context) -> bool {
    if context.filters.as_ref().is_some_and(|filters| !filters.keep(message.payload())) {
        chunk.skip(message.offset());
        return false;
    }
    let headers = kafka_headers::headers(message).unwrap_or_else(|error| {
        tracing::error!(mapping = %context.mapping, topic = message.topic(), partition = message.partition(), offset = message.offset(),
            "ALARM: the headers of a record break Kafka's format ({error}); the function gets the record without them");
        Vec::new()
    });
    let time = message.timestamp().to_millis().unwrap_or(-1);
    chunk.push(message.offset(), time, |out| encode::record(start, message, &headers, out));
    true
}
