//! One run of a mapping: a consumer, its polling thread and the driver, from start to end.
//!
//! A run ends with an error if the consumer failed: it was fenced, the group assigns it nothing
//! although there are unassigned partitions, a log does not contain its position, librdkafka
//! reports a fatal error, or the polling thread panicked. The next run has a new consumer and
//! starts from the last commit.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc as std_mpsc;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use event_sources::kafka::Membership;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use sam_template::model::KafkaMapping;
use tokio::sync::{mpsc, oneshot, watch};

use super::consumer::{ConsumerEvent, MappingConsumer, MappingContext, wake_polling_thread};
use super::consumer_failure::ConsumerFailure;
use super::driver::KafkaDriver;
use super::known_topics::{KnownTopics, KnownTopicsError};
use super::moves::PositionMove;
use super::poller::{self, PollerCommands};
use super::status::MappingProgress;
use super::{CHUNKS_AHEAD, KafkaLimits, LEAVING, monitor, settings};
use crate::destinations::{DestinationClient, DestinationError};
use crate::invocation::Invoker;
use crate::lock::lock;
use crate::sources::tuned::TunedSettings;

/// Why a mapping cannot start, or why a run of it ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum RunError {
    /// There is no client of its destination.
    #[error(transparent)]
    Destination(#[from] DestinationError),
    /// The file of topics cannot be read.
    #[error(transparent)]
    KnownTopics(#[from] KnownTopicsError),
    /// librdkafka refuses a setting.
    #[error("no consumer: {0}")]
    Settings(#[source] KafkaError),
    /// librdkafka refuses the topics.
    #[error("cannot subscribe to {topics:?}: {error}")]
    Subscription {
        topics: Vec<String>,
        #[source]
        error: KafkaError,
    },
    #[error("cannot start a thread: {0}")]
    Thread(#[source] io::Error),
    #[error(transparent)]
    Consumer(#[from] ConsumerFailure),
    /// Found when the consumer was closed.
    #[error("its polling thread panicked")]
    PollingPanicked,
}

/// What the runs of a mapping share.
pub(super) struct KafkaSource {
    pub(super) mapping: KafkaMapping,
    pub(super) limits: KafkaLimits,
    pub(super) destination: Option<DestinationClient>,
    pub(super) invoker: Invoker,
    pub(super) progress: Arc<MappingProgress>,
    /// Moves that operators request; locked by the current run.
    moves: tokio::sync::Mutex<mpsc::Receiver<PositionMove>>,
    membership: Mutex<Membership>,
    pub(super) known: Arc<KnownTopics>,
    /// The consumer of the first run, created by `new`: an error of librdkafka fails the start.
    first: Mutex<Option<Subscribed>>,
}

/// A consumer that has subscribed, and its channel to the driver.
struct Subscribed {
    consumer: Arc<MappingConsumer>,
    events: mpsc::Sender<ConsumerEvent>,
    received: mpsc::Receiver<ConsumerEvent>,
}

impl KafkaSource {
    /// Prepares the first run.
    ///
    /// # Errors
    /// A setting that librdkafka refuses, or a file of the state folder that cannot be read.
    pub(super) fn new(
        mapping: KafkaMapping,
        limits: KafkaLimits,
        invoker: Invoker,
        moves: mpsc::Receiver<PositionMove>,
    ) -> Result<Arc<Self>, RunError> {
        let destination = mapping
            .on_failure
            .as_ref()
            .map(|to| DestinationClient::new(to, settings::access(&mapping), limits.sqs.as_ref()))
            .transpose()?;
        let known = KnownTopics::open(limits.state.as_deref(), &mapping.id, &mapping.group)?;
        let source = Self {
            progress: Arc::new(MappingProgress::new(&mapping)),
            mapping,
            limits,
            destination,
            invoker,
            moves: tokio::sync::Mutex::new(moves),
            membership: Mutex::default(),
            known: Arc::new(known),
            first: Mutex::default(),
        };
        *lock(&source.first) = Some(source.subscribe()?);
        Ok(Arc::new(source))
    }

    fn subscribe(&self) -> Result<Subscribed, RunError> {
        let (events, received) = mpsc::channel(CHUNKS_AHEAD);
        let context = MappingContext::new(
            self.mapping.clone(),
            events.clone(),
            self.progress.clone(),
            self.known.clone(),
        );
        let member = lock(&self.membership).name(&self.limits.host_id);
        let mut consumer: MappingConsumer = settings::client(&self.mapping, &member)
            .create_with_context(context)
            .map_err(RunError::Settings)?;
        wake_polling_thread(&mut consumer);
        let topics: Vec<&str> = self.mapping.topics.iter().map(String::as_str).collect();
        consumer
            .subscribe(&topics)
            .map_err(|error| RunError::Subscription {
                topics: self.mapping.topics.clone(),
                error,
            })?;
        let consumer = Arc::new(consumer);
        consumer.context().belongs_to(&consumer);
        Ok(Subscribed {
            consumer,
            events,
            received,
        })
    }

    /// Name of the polling thread, and of the fault that makes it panic.
    pub(super) fn polling_name(mapping: &str) -> String {
        format!("polling {mapping}")
    }

    /// Runs until the host drains: `stopping` turns true.
    ///
    /// # Errors
    /// The consumer failed.
    pub(super) async fn run(
        self: Arc<Self>,
        tuned: TunedSettings,
        stopping: watch::Receiver<bool>,
    ) -> Result<(), RunError> {
        let first = lock(&self.first).take();
        let Subscribed {
            consumer,
            events,
            received,
        } = first.map_or_else(|| self.subscribe(), Ok)?;
        self.progress.reset();
        let stop = Arc::new(AtomicBool::new(false));
        let _monitor = monitor::start(self.clone(), events).map_err(RunError::Thread)?;
        let (commands, received_commands) = std_mpsc::channel();
        let (ending, polling) = oneshot::channel();
        let name = Self::polling_name(&self.mapping.id);
        let thread = std::thread::Builder::new().name(name.clone()).spawn({
            let consumer = consumer.clone();
            let stop = stop.clone();
            let batch = self.mapping.batch_size as usize;
            let panic_on_purpose = self.limits.parts.fault(&name);
            move || {
                // a panic drops the sender: the driver's receiver then fails
                let _ = ending.send(poller::poll(
                    &consumer,
                    &received_commands,
                    &stop,
                    batch,
                    panic_on_purpose,
                ));
            }
        });
        let thread = thread.map_err(RunError::Thread)?;
        let commands = PollerCommands {
            commands,
            thread: thread.thread().clone(),
        };
        // dropped last, also if the driver panics
        let mut open = OpenConsumer {
            mapping: self.mapping.id.clone(),
            stop,
            owned: Some((thread, consumer.clone())),
        };
        let driver =
            KafkaDriver::new(self.clone(), consumer, commands).map_err(RunError::Thread)?;
        let mut moves = self.moves.lock().await;
        let driven = driver
            .run(received, polling, (tuned, &mut moves), stopping.clone())
            .await;
        let closed = open.leave().await;
        match driven {
            // the batches in flight are committed, and the host needs no further consumer
            Err(ConsumerFailure::Unassigned(_) | ConsumerFailure::InvalidPosition(_))
                if *stopping.borrow() =>
            {
                return closed;
            }
            Err(ConsumerFailure::Fenced) => {
                lock(&self.membership).fenced(Instant::now(), rand::random());
            }
            Err(ConsumerFailure::Unassigned(_)) => {
                lock(&self.membership).rename(rand::random());
            }
            _ => {}
        }
        driven.inspect_err(|why| self.progress.run_failed(&why.to_string()))?;
        closed
    }
}

impl Drop for KafkaSource {
    /// Closes a consumer that no run took: another source could not be opened. A thread of its own,
    /// because closing blocks ([`LEAVING`]).
    fn drop(&mut self) {
        if let Some(first) = lock(&self.first).take() {
            let name = format!("close {}", self.mapping.id);
            let thread = std::thread::Builder::new().name(name);
            // without a thread it is closed here: a panic in a destructor can abort the process
            let _ = thread.spawn(move || drop(first));
        }
    }
}

/// An open consumer and the thread that polls it.
struct OpenConsumer {
    mapping: String,
    stop: Arc<AtomicBool>,
    owned: Option<(JoinHandle<()>, Arc<MappingConsumer>)>,
}

impl OpenConsumer {
    /// Ends the polling thread and closes the consumer, which blocks. Waits [`LEAVING`] at most:
    /// everything is committed, and the broker removes a member without heartbeats.
    async fn leave(&mut self) -> Result<(), RunError> {
        let Some(left) = self.close()? else {
            return Ok(());
        };
        match tokio::time::timeout(LEAVING, left).await {
            Ok(Ok(true)) => Ok(()),
            Ok(_) => Err(RunError::PollingPanicked),
            Err(_) => {
                tracing::warn!(
                    mapping = self.mapping,
                    "the consumer has not left its group within {} s; the group removes it when \
                     its session expires",
                    LEAVING.as_secs()
                );
                Ok(())
            }
        }
    }

    /// Starts to close both. Resolves to true if the polling thread ended without a panic. `None`:
    /// closed before.
    fn close(&mut self) -> Result<Option<oneshot::Receiver<bool>>, RunError> {
        self.stop.store(true, Ordering::Relaxed);
        let Some((polling, consumer)) = self.owned.take() else {
            return Ok(None);
        };
        polling.thread().unpark();
        let (left, leaving) = oneshot::channel();
        // a thread: the runtime would wait for a blocking task when it ends
        let thread = std::thread::Builder::new()
            .name(format!("close {}", self.mapping))
            .spawn(move || {
                let polled = polling.join();
                // the queue of a partition references its consumer
                drop(consumer.context().changes());
                drop(consumer);
                // the receiver is dropped after the time limit
                let _ = left.send(polled.is_ok());
            });
        thread.map_err(RunError::Thread)?;
        Ok(Some(leaving))
    }
}

impl Drop for OpenConsumer {
    fn drop(&mut self) {
        if let Err(why) = self.close() {
            tracing::error!(
                mapping = self.mapping,
                "a consumer could not be closed: {why}"
            );
        }
    }
}
