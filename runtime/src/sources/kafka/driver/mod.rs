//! The driver of a mapping: connects the polling thread, the pure machine and the function.
//!
//! `events` feeds the machine with what the polling thread sends, `actions` executes what the
//! machine returns. `result` classifies the end of a batch, `discards` delivers failure records,
//! `moves` executes an operator's seek or skip, `commits` commits offsets on the thread of
//! `committer`, and `invalid_positions` decides when the consumer has to be replaced.

mod actions;
mod commits;
mod committer;
mod discards;
mod events;
mod invalid_positions;
mod moves;
mod result;
mod tasks;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use event_sources::InvocationId;
use event_sources::stream::{Offset, Partition, Slice, StreamInput, StreamMachine};
use tokio::sync::{mpsc, oneshot, watch};

use self::committer::Committer;
use self::tasks::Tasks;
use crate::clock::Clock;
use crate::destinations::{Delivered, DestinationError};
use crate::invocation::{Rejected, Response};
use crate::observation::Repeats;
use crate::sources::kafka::buffer::Buffer;
use crate::sources::kafka::consumer::{ConsumerEvent, MappingConsumer};
use crate::sources::kafka::consumer_failure::ConsumerFailure;
use crate::sources::kafka::discards::AttemptHistory;
use crate::sources::kafka::moves::PositionMove;
use crate::sources::kafka::poller::PollerCommands;
use crate::sources::kafka::source::KafkaSource;
use crate::sources::kafka::status::MappingProgress;
use crate::sources::kafka::{LEAVING, encode, settings};
use crate::sources::tuned::TunedSettings;
use crate::supervision::TaskError;
use crate::waiting::{turned, until};

/// Minimum time between two updates of the status.
const STATUS_INTERVAL: Duration = Duration::from_millis(100);

/// The same while nothing happens: what the polling thread and the monitor report, and the age of
/// what waits.
const IDLE_STATUS_INTERVAL: Duration = Duration::from_secs(1);

/// The result of a task of the driver.
enum Completion {
    Invocation(InvocationId, Result<Response, Rejected>),
    Delivery(Partition, u64, Result<Delivered, DestinationError>),
}

pub(super) struct KafkaDriver {
    source: Arc<KafkaSource>,
    progress: Arc<MappingProgress>,
    envelope: Vec<u8>,
    machine: StreamMachine,
    buffer: Buffer,
    consumer: Arc<MappingConsumer>,
    committer: Committer,
    commands: PollerCommands,
    tasks: Tasks<Completion>,
    history: AttemptHistory,
    /// The current delivery of each partition; results of earlier ones are ignored.
    deliveries: BTreeMap<Partition, u64>,
    next_delivery: u64,
    /// Failed deliveries.
    undelivered: Repeats<Partition>,
    /// Partitions whose position is not in their log, and why.
    invalid: BTreeMap<Partition, String>,
    /// First offset of each log at the last check.
    log_starts: BTreeMap<Partition, Offset>,
    /// Why the group assigned nothing to this consumer.
    unassigned: Option<String>,
    /// Moves that the polling thread executes.
    moving: BTreeMap<Partition, PositionMove>,
    batches: BTreeMap<InvocationId, Vec<Slice>>,
    clock: Clock,
}

impl KafkaDriver {
    /// # Errors
    /// A thread cannot be started.
    pub(super) fn new(
        source: Arc<KafkaSource>,
        consumer: Arc<MappingConsumer>,
        commands: PollerCommands,
    ) -> io::Result<Self> {
        let mapping = &source.mapping;
        Ok(Self {
            committer: Committer::start(&mapping.id, mapping.topics.clone(), &consumer)?,
            envelope: encode::envelope(&source.mapping),
            machine: StreamMachine::new(settings::machine(&source.mapping, &source.limits)),
            progress: source.progress.clone(),
            source,
            buffer: Buffer::default(),
            consumer,
            commands,
            tasks: Tasks::new(),
            history: AttemptHistory::default(),
            deliveries: BTreeMap::new(),
            next_delivery: 0,
            undelivered: Repeats::default(),
            invalid: BTreeMap::new(),
            log_starts: BTreeMap::new(),
            unassigned: None,
            moving: BTreeMap::new(),
            batches: BTreeMap::new(),
            clock: Clock::start(),
        })
    }

    /// Runs until `stopping` turns true; then completes and commits the batches in flight, until the
    /// drain is over. `polling` resolves with the reason when the polling thread ends, and
    /// fails if it panicked.
    ///
    /// # Errors
    /// The polling thread ended. Batches in flight are completed first, so that the next run does
    /// not process the same records at the same time, and committed if the consumer still can.
    pub(super) async fn run(
        mut self,
        mut events: mpsc::Receiver<ConsumerEvent>,
        mut polling: oneshot::Receiver<Result<(), ConsumerFailure>>,
        (mut tuned, moves): (TunedSettings, &mut mpsc::Receiver<PositionMove>),
        mut stopping: watch::Receiver<bool>,
    ) -> Result<(), ConsumerFailure> {
        let patience = self.source.limits.drain;
        let mut deadline: Option<tokio::time::Instant> = None;
        let mut updated = Instant::now();
        // something has happened since
        let mut changed = false;
        let result = loop {
            if deadline.is_some() && self.machine.is_idle() && self.deliveries.is_empty() {
                break Ok(());
            }
            if let Some(why) = self.run_failure().filter(|_| deadline.is_none()) {
                self.finish(patience).await;
                break Err(why);
            }
            let status_due = updated
                + if changed {
                    STATUS_INTERVAL
                } else {
                    IDLE_STATUS_INTERVAL
                };
            let wake = self.machine.wake().map(|at| self.clock.instant(at));
            let wake = wake.map_or(status_due, |at| at.min(status_due));
            tokio::select! {
                // the consumer has a sender too: this channel stays open when the thread ends
                Some(event) = events.recv() => self.handle_event(event),
                ended = &mut polling => {
                    let ended = ended.unwrap_or(Err(ConsumerFailure::PollingPanicked));
                    self.finish(patience).await;
                    break Err(ended.err().unwrap_or(ConsumerFailure::PollingEnded));
                }
                Some(ended) = self.tasks.next() => if let Err(failure) = self.ended(ended) {
                    break Err(failure);
                },
                answered = self.committer.answered() => match answered {
                    Some(answered) => self.committed(answered),
                    None => break Err(ConsumerFailure::CommittingEnded),
                },
                Ok(()) = tuned.changed() => {
                    let settings = tuned.borrow_and_update().clone();
                    if let Some(settings) = settings {
                        let partitions = settings.paused_partitions.clone();
                        self.progress.set_paused(settings.paused, partitions);
                        self.step(StreamInput::Tuned(settings));
                    }
                }
                Some(requested) = moves.recv() => self.begin_move(requested),
                () = tokio::time::sleep_until(wake.into()) => self.step(StreamInput::Tick),
                () = turned(&mut stopping), if deadline.is_none() => {
                    deadline = Some(tokio::time::Instant::now() + patience);
                    self.step(StreamInput::Drain);
                }
                () = until(deadline) => {
                    tracing::warn!(
                        mapping = self.source.mapping.id,
                        "the drain ended with batches in flight; their records are read again"
                    );
                    break Ok(());
                }
            }
            changed |= Instant::now() < status_due;
            if updated.elapsed() >= STATUS_INTERVAL {
                self.progress.update(self.machine.overview());
                updated = Instant::now();
                changed = false;
            }
        };
        self.commit_last(LEAVING).await;
        result
    }

    /// Completes the batches in flight, for `patience` at most.
    async fn finish(&mut self, patience: Duration) {
        self.step(StreamInput::Drain);
        let deadline = tokio::time::Instant::now() + patience;
        while !self.batches.is_empty() {
            let ended = tokio::time::timeout_at(deadline, self.tasks.next()).await;
            let Ok(Some(Ok(()))) = ended.map(|ended| ended.map(|ended| self.ended(ended))) else {
                return;
            };
        }
    }

    /// Handles the end of a task. A panic ends the run: the task's batch has no result.
    fn ended(&mut self, ended: Result<Completion, TaskError>) -> Result<(), ConsumerFailure> {
        match ended {
            Ok(Completion::Invocation(id, result)) => {
                let finish = self.classify(id, &result);
                self.step(StreamInput::Finished(id, finish));
            }
            Ok(Completion::Delivery(partition, delivery, result)) => {
                self.delivered(partition, delivery, &result);
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}
