//! The task between the polling thread, the pure machine and the functions: it feeds records to the machine and executes its
//! commands. `result` classifies how a batch ended, `discards` delivers failure records, `moves` has a partition read from
//! elsewhere, `astray` ends a consumer that reads in the wrong place.

mod astray;
mod discards;
mod moves;
mod result;

use event_sources::InvocationId;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::error::KafkaResult;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::broken::Broken;
use super::buffer::{Accepted, Buffer, Chunk};
use super::clock::Clock;
use super::consumer::{Event, MappingConsumer, commit};
use super::discards::{AttemptHistory, FailureContext};
use super::encode;
use super::moves::Move;
use super::poller::{Order, Orders};
use super::status::Progress;
use crate::destinations::{Delivered, DestinationClient, DestinationError};
use crate::invocation::{Invoker, Rejected, Request, Response};
use crate::model::KafkaMapping;
use crate::observation::Repeats;
use crate::supervision::panic_text;
use crate::tuning::SourceSettings;
use crate::waiting::{turned, until};
use event_sources::stream::{
    DiscardReason, Offset, Partition, Slice, StreamAction, StreamInput, StreamMachine,
    StreamSettings,
};

/// The status need not be fresher than this.
const STATUS_INTERVAL: Duration = Duration::from_millis(100);

/// What a task of the driver ends with.
enum Completion {
    Invocation(InvocationId, Result<Response, Rejected>),
    Delivery(Partition, u64, Result<Delivered, DestinationError>),
    /// A move was committed, or not.
    Move(Move, KafkaResult<()>),
}

pub(super) struct Driver {
    mapping: KafkaMapping,
    envelope: Vec<u8>,
    machine: StreamMachine,
    buffer: Buffer,
    consumer: Arc<MappingConsumer>,
    orders: Orders,
    invoker: Invoker,
    tasks: JoinSet<Completion>,
    destination: Option<DestinationClient>,
    context: FailureContext,
    history: AttemptHistory,
    /// Letters on their way, by partition: an answer to any other is void.
    deliveries: BTreeMap<Partition, u64>,
    next_delivery: u64,
    /// Deliveries that failed.
    undelivered: Repeats<Partition>,
    /// Partitions that another consumer has to settle, and why this one ends for it.
    astray: BTreeMap<Partition, String>,
    /// Where the logs started at the last look.
    log_starts: BTreeMap<Partition, Offset>,
    /// Why the group gave this consumer nothing.
    unassigned: Option<String>,
    /// Moves that the polling thread makes.
    moving: BTreeMap<Partition, Move>,
    batches: BTreeMap<InvocationId, Vec<Slice>>,
    progress: Arc<Progress>,
    clock: Clock,
}

impl Driver {
    /// `destination`: the way there, and the ARN of the function that it is told.
    pub(super) fn new(
        mapping: KafkaMapping,
        settings: StreamSettings,
        destination: (Option<DestinationClient>, String),
        consumer: Arc<MappingConsumer>,
        orders: Orders,
        invoker: Invoker,
        progress: Arc<Progress>,
    ) -> Self {
        Self {
            envelope: encode::envelope(&mapping),
            machine: StreamMachine::new(settings),
            buffer: Buffer::default(),
            consumer,
            orders,
            invoker,
            tasks: JoinSet::new(),
            destination: destination.0,
            context: FailureContext {
                mapping: mapping.clone(),
                function_arn: destination.1,
            },
            history: AttemptHistory::default(),
            deliveries: BTreeMap::new(),
            next_delivery: 0,
            undelivered: Repeats::default(),
            astray: BTreeMap::new(),
            log_starts: BTreeMap::new(),
            unassigned: None,
            moving: BTreeMap::new(),
            batches: BTreeMap::new(),
            progress,
            clock: Clock::start(),
            mapping,
        }
    }

    /// Runs until `shutdown` turns true and what was in flight then has ended and is committed, or `patience` is over.
    /// `polling` resolves when the polling thread ends, with its reason, or without one if it panicked.
    ///
    /// # Errors
    /// Why the polling thread ended, without which there is nothing more to do. Batches in flight are waited for then, too, so that the
    /// records are not at the function twice at one time; what is done is committed if the consumer still can.
    pub(super) async fn run(
        mut self,
        mut events: mpsc::Receiver<Event>,
        mut polling: oneshot::Receiver<Result<(), Broken>>,
        mut tuned: watch::Receiver<Option<SourceSettings>>,
        moves: &mut mpsc::Receiver<Move>,
        mut shutdown: watch::Receiver<bool>,
        patience: Duration,
    ) -> Result<(), Broken> {
        let mut result = Ok(());
        let mut deadline: Option<tokio::time::Instant> = None;
        let mut shown = Instant::now();
        loop {
            if deadline.is_some() && self.machine.is_idle() && self.deliveries.is_empty() {
                break;
            }
            if let Some(why) = self.may_end_astray().filter(|_| deadline.is_none()) {
                result = Err(why);
                self.finish(patience).await;
                break;
            }
            let wake = self
                .machine
                .wake()
                .map_or(Instant::now() + STATUS_INTERVAL, |at| {
                    self.clock.instant(at)
                });
            let wake = wake.min(Instant::now() + STATUS_INTERVAL);
            tokio::select! {
                // the consumer holds a sender as well, so this channel does not end with the thread
                Some(event) = events.recv() => self.happened(event),
                ended = &mut polling => {
                    let why = ended.unwrap_or_else(|_| Err(Broken::Other("its polling thread panicked".to_owned()))).err();
                    result = Err(why.unwrap_or_else(|| Broken::Other("its polling thread ended".to_owned())));
                    self.finish(patience).await;
                    break;
                }
                Some(ended) = self.tasks.join_next() => if let Err(broken) = self.ended(ended) {
                    result = Err(broken);
                    break;
                },
                Ok(()) = tuned.changed() => {
                    let settings = tuned.borrow_and_update().clone();
                    if let Some(settings) = settings {
                        self.progress.paused(settings.paused, settings.paused_partitions.clone());
                        self.step(StreamInput::Tuned(settings));
                    }
                }
                Some(wanted) = moves.recv() => self.begin_move(wanted),
                () = tokio::time::sleep_until(wake.into()) => self.step(StreamInput::Tick),
                () = turned(&mut shutdown), if deadline.is_none() => {
                    deadline = Some(tokio::time::Instant::now() + patience);
                    self.step(StreamInput::Drain);
                }
                () = until(deadline) => {
                    tracing::warn!(mapping = %self.mapping.id, "batches still in flight at the end of the drain will be read again");
                    break;
                }
            }
            if shown.elapsed() >= STATUS_INTERVAL {
                self.progress
                    .holds(&self.mapping.topics, self.machine.overview());
                shown = Instant::now();
            }
        }
        let done = self.step_for_commit(StreamInput::Flush);
        let consumer = self.consumer.clone();
        let topics = self.mapping.topics.clone();
        let committed = tokio::task::spawn_blocking(move || {
            // a consumer with a fatal error commits nothing; its records are read again
            let nothing = done.is_empty() || consumer.client().fatal_error().is_some();
            if nothing {
                Ok(())
            } else {
                commit(&consumer, &topics, &done, CommitMode::Sync)
            }
        });
        if let Ok(Err(error)) = committed.await {
            tracing::warn!(mapping = %self.mapping.id, %error, "the last commit failed; those records will be read again");
        }
        result
    }

    /// Waits, `patience` at most, for batches in flight; begins none.
    async fn finish(&mut self, patience: Duration) {
        self.step(StreamInput::Drain);
        let deadline = tokio::time::Instant::now() + patience;
        while !self.batches.is_empty() {
            let ended = tokio::time::timeout_at(deadline, self.tasks.join_next()).await;
            let Ok(Some(Ok(()))) = ended.map(|ended| ended.map(|ended| self.ended(ended))) else {
                return;
            };
        }
    }

    /// The end of a task. One that panicked ends the run: nothing else would end its batch.
    fn ended(&mut self, ended: Result<Completion, tokio::task::JoinError>) -> Result<(), Broken> {
        match ended {
            Ok(Completion::Invocation(id, result)) => {
                let finish = self.classify(id, &result);
                self.step(StreamInput::Finished(id, finish));
            }
            Ok(Completion::Delivery(partition, delivery, result)) => {
                self.delivered(partition, delivery, &result);
            }
            Ok(Completion::Move(wanted, committed)) => self.moved(wanted, committed),
            Err(error) => return Err(Broken::Other(panic_text(error))),
        }
        Ok(())
    }

    fn happened(&mut self, event: Event) {
        match event {
            Event::Records(partition, chunk) => self.arrived(partition, chunk),
            Event::Assigned(partitions) => {
                tracing::info!(mapping = %self.mapping.id, partitions = ?numbers(&partitions), "partitions taken over");
                self.forget(&partitions);
                for partition in &partitions {
                    // whatever was said of an earlier assignment
                    self.orders.send(Order::Read(*partition));
                }
                self.step(StreamInput::Assigned(&partitions));
            }
            Event::Revoked(partitions, answer) => {
                tracing::info!(mapping = %self.mapping.id, partitions = ?numbers(&partitions), "partitions given up");
                let done = self.step_for_commit(StreamInput::Revoked(&partitions));
                self.forget(&partitions);
                let _ = answer.send(done);
            }
            Event::Lost(partitions) => {
                self.step(StreamInput::Lost(&partitions));
                self.forget(&partitions);
            }
            Event::Sought(partition, offset, result) => self.sought(partition, offset, result),
            Event::CommitFailed(partitions) => self.step(StreamInput::CommitFailed(&partitions)),
            Event::Astray(partitions, why) => self.goes_astray(&partitions, &why),
            Event::LogStarts(starts) => self.look_for_deleted(&starts),
            Event::Unassigned(why) => self.unassigned = Some(why),
        }
        self.progress
            .holds(&self.mapping.topics, self.machine.overview());
    }

    fn arrived(&mut self, partition: Partition, chunk: Chunk) {
        let skipped = chunk.skipped();
        match self.buffer.accept(partition, chunk) {
            Accepted::Records(records) => self.step(StreamInput::Records(partition, &records)),
            Accepted::Reset(records) => {
                tracing::error!(alarm = "log_replaced", mapping = %self.mapping.id, topic = %self.mapping.topics[partition.topic], partition = partition.number,
                        "the log was cut or begun anew; reading goes on from there, and what is not done yet is done again");
                self.deliveries.remove(&partition);
                self.history.forget(&[partition]);
                self.step(StreamInput::Reset(partition));
                self.step(StreamInput::Records(partition, &records));
            }
        }
        if let Some(through) = skipped {
            self.step(StreamInput::Skipped(partition, through));
        }
    }

    /// Partitions that are this host's no more, or anew.
    fn forget(&mut self, partitions: &[Partition]) {
        self.buffer.forget(partitions);
        self.history.forget(partitions);
        self.deliveries
            .retain(|partition, _| !partitions.contains(partition));
        self.moving
            .retain(|partition, _| !partitions.contains(partition));
        self.astray
            .retain(|partition, _| !partitions.contains(partition));
        self.log_starts
            .retain(|partition, _| !partitions.contains(partition));
        for partition in partitions {
            self.progress.waits(*partition, None);
        }
    }

    fn step(&mut self, input: StreamInput<'_>) {
        let mut actions = Vec::new();
        self.machine.step(self.clock.now(), input, &mut actions);
        for action in actions {
            self.obey(action);
        }
    }

    /// A step whose commits the caller makes, synchronously.
    fn step_for_commit(&mut self, input: StreamInput<'_>) -> Vec<(Partition, Offset)> {
        let mut actions = Vec::new();
        self.machine.step(self.clock.now(), input, &mut actions);
        let mut commits = Vec::new();
        for action in actions {
            match action {
                StreamAction::Commit(offsets) => commits.extend(offsets),
                other => self.obey(other),
            }
        }
        commits
    }

    fn obey(&mut self, action: StreamAction) {
        match action {
            StreamAction::Invoke(id, slices) => self.invoke(id, slices),
            // librdkafka would keep it and send it once Kafka is back, perhaps for a membership that is over by then
            StreamAction::Commit(offsets) if self.progress.away.load(Ordering::Relaxed) => {
                let partitions: Vec<Partition> =
                    offsets.iter().map(|(partition, _)| *partition).collect();
                self.step(StreamInput::CommitFailed(&partitions));
            }
            StreamAction::Commit(offsets) => {
                if let Err(error) = commit(
                    &self.consumer,
                    &self.mapping.topics,
                    &offsets,
                    CommitMode::Async,
                ) {
                    tracing::debug!(mapping = %self.mapping.id, %error, "a commit could not be sent; it is made again");
                    let partitions: Vec<Partition> =
                        offsets.iter().map(|(partition, _)| *partition).collect();
                    // only marks them as uncommitted: no further commit before the next interval
                    self.step(StreamInput::CommitFailed(&partitions));
                }
            }
            StreamAction::Release(partition, through) => {
                let (records, memory) = self.buffer.release(partition, through);
                for bytes in memory {
                    self.orders.send(Order::Reuse(bytes));
                }
                self.progress
                    .done
                    .fetch_add(records as u64, Ordering::Relaxed);
                self.progress.position(partition, through + 1);
            }
            StreamAction::Pause(partition) => self.orders.send(Order::Hold(partition)),
            // what follows is not where reading goes on
            StreamAction::Resume(partition) if self.astray.contains_key(&partition) => {}
            StreamAction::Resume(partition) => self.orders.send(Order::Read(partition)),
            StreamAction::Discard(slice, reason) => {
                self.progress
                    .discarded
                    .fetch_add(slice.records as u64, Ordering::Relaxed);
                if reason == DiscardReason::TooLarge {
                    self.progress
                        .lost
                        .fetch_add(slice.records as u64, Ordering::Relaxed);
                }
                tracing::error!(alarm = "records_discarded", mapping = %self.mapping.id, topic = %self.mapping.topics[slice.partition.topic], partition = slice.partition.number,
                    first = slice.first, last = slice.last, records = slice.records, ?reason, "records discarded");
            }
            StreamAction::SendToDestination(slice, reason) => self.deliver(&slice, reason),
            StreamAction::RejectedResponse(text) => {
                tracing::error!(alarm = "partial_response_rejected", mapping = %self.mapping.id, "{text}");
            }
        }
    }

    fn invoke(&mut self, id: InvocationId, slices: Vec<Slice>) {
        let payload = self
            .buffer
            .event(&self.envelope, &self.mapping.topics, &slices);
        let request = Request {
            records: slices.iter().map(|slice| slice.records).sum(),
            ..Request::new(self.mapping.function.clone(), payload)
        };
        self.batches.insert(id, slices);
        self.progress.batches.fetch_add(1, Ordering::Relaxed);
        let invoker = self.invoker.clone();
        self.tasks
            .spawn(async move { Completion::Invocation(id, invoker.invoke(request, true).await) });
    }
}

fn numbers(partitions: &[Partition]) -> Vec<i32> {
    partitions
        .iter()
        .map(|partition| partition.number)
        .collect()
}
