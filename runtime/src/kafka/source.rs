//! One run of a mapping: a consumer, the thread that polls it and the driver, from their start to the end of all three.
//!
//! A run ends with an error when the consumer cannot go on: its membership was taken over (fenced), the group gives it nothing although
//! there is something to read, the log does not have its position any more, librdkafka reports an error that it calls fatal, or the polling
//! thread panicked. The next run begins with a consumer of its own, from the last commit.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc as std_mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use rdkafka::consumer::Consumer;
use tokio::sync::{mpsc, oneshot, watch};

use super::broken::Broken;
use super::consumer::{Context, Event, MappingConsumer};
use super::driver::Driver;
use super::moves::Move;
use super::poller::{self, Orders};
use super::status::Progress;
use super::topics::KnownTopics;
use super::{CHUNKS_AHEAD, LEAVING, Limits, settings, survey};
use crate::destinations::DestinationClient;
use crate::invocation::Invoker;
use crate::model::KafkaMapping;
use crate::tuning::SourceSettings;
use event_sources::kafka::Membership;

/// What every run of a mapping begins with.
pub(super) struct Source {
    pub(super) mapping: KafkaMapping,
    pub(super) limits: Limits,
    pub(super) destination: Option<DestinationClient>,
    pub(super) invoker: Invoker,
    pub(super) progress: Arc<Progress>,
    pub(super) tuned: watch::Receiver<Option<SourceSettings>>,
    /// Moves that operators ask for; the run of now has it.
    moves: tokio::sync::Mutex<mpsc::Receiver<Move>>,
    pub(super) shutdown: watch::Receiver<bool>,
    membership: Mutex<Membership>,
    /// The topics that this host has read.
    known: Arc<KnownTopics>,
    /// The consumer of the first run, made before anything starts: what librdkafka refuses is an error of the start.
    first: Mutex<Option<Subscribed>>,
}

/// A consumer that has subscribed, and both ends of its way to the driver.
struct Subscribed {
    consumer: Arc<MappingConsumer>,
    events: mpsc::Sender<Event>,
    received: mpsc::Receiver<Event>,
}

impl Source {
    /// Prepares the first run.
    ///
    /// # Errors
    /// A setting that librdkafka refuses, or a file of the state folder that cannot be read.
    pub(super) fn new(
        mapping: KafkaMapping,
        limits: Limits,
        destination: Option<DestinationClient>,
        invoker: Invoker,
        (tuned, moves): (
            watch::Receiver<Option<SourceSettings>>,
            mpsc::Receiver<Move>,
        ),
        shutdown: watch::Receiver<bool>,
    ) -> Result<Arc<Self>, String> {
        let known = KnownTopics::open(limits.state.as_deref(), &mapping.id, &mapping.group)?;
        let source = Self {
            mapping,
            limits,
            destination,
            invoker,
            progress: Arc::default(),
            tuned,
            moves: tokio::sync::Mutex::new(moves),
            shutdown,
            membership: Mutex::default(),
            known: Arc::new(known),
            first: Mutex::default(),
        };
        let subscribed = source.subscribe()?;
        *source.first.lock().unwrap_or_else(PoisonError::into_inner) = Some(subscribed);
        Ok(Arc::new(source))
    }

    fn membership(&self) -> std::sync::MutexGuard<'_, Membership> {
        self.membership
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn subscribe(&self) -> Result<Subscribed, String> {
        let (events, received) = mpsc::channel(CHUNKS_AHEAD);
        let context = Context::new(
            &self.mapping,
            events.clone(),
            self.progress.clone(),
            self.known.clone(),
        );
        let member = self.membership().name(&self.limits.host_id);
        let consumer: MappingConsumer = settings::client(&self.mapping, &member)
            .create_with_context(context)
            .map_err(|error| format!("no consumer: {error}"))?;
        let topics: Vec<&str> = self.mapping.topics.iter().map(String::as_str).collect();
        consumer
            .subscribe(&topics)
            .map_err(|error| format!("cannot subscribe to {topics:?}: {error}"))?;
        let consumer = Arc::new(consumer);
        consumer.context().belongs_to(&consumer);
        Ok(Subscribed {
            consumer,
            events,
            received,
        })
    }

    /// Name of the polling thread, and of the fault that has it panic.
    pub(super) fn polling_name(mapping: &str) -> String {
        format!("polling {mapping}")
    }

    /// Runs until the host drains.
    ///
    /// # Errors
    /// Why the mapping cannot go on with this consumer.
    pub(super) async fn run(self: Arc<Self>) -> Result<(), String> {
        let first = self
            .first
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let subscribed = if let Some(first) = first {
            first
        } else {
            self.subscribe()?
        };
        self.progress.restarted();
        let Subscribed {
            consumer,
            events,
            received,
        } = subscribed;
        let stop = Arc::new(AtomicBool::new(false));
        let surveying = survey::begin(
            self.mapping.clone(),
            self.progress.clone(),
            self.known.clone(),
            events.clone(),
        );
        let _surveying = surveying.map_err(|error| format!("cannot start a thread: {error}"))?;
        let (orders, ordered) = std_mpsc::channel();
        let (ending, polling) = oneshot::channel();
        let name = Self::polling_name(&self.mapping.id);
        let thread = std::thread::Builder::new().name(name.clone()).spawn({
            let consumer = consumer.clone();
            let stop = stop.clone();
            let batch = self.mapping.batch_size as usize;
            let panics = self.limits.parts.fault(&name);
            move || {
                // a panic drops the sender, which the driver notices as well
                let _ = ending.send(poller::poll(
                    &consumer, &events, &ordered, &stop, batch, panics,
                ));
            }
        });
        let thread = thread.map_err(|error| format!("cannot start a thread: {error}"))?;
        let orders = Orders {
            orders,
            thread: thread.thread().clone(),
        };
        // dropped last, also by a panic of the driver
        let mut open = Open {
            mapping: self.mapping.id.clone(),
            stop,
            owned: Some((thread, consumer.clone())),
        };
        let mut tuned = self.tuned.clone();
        if tuned.borrow().is_some() {
            // what was set during an earlier run holds for this one, too
            tuned.mark_changed();
        }
        let machine = settings::machine(&self.mapping, &self.limits);
        let destination = (self.destination.clone(), self.limits.function_arn.clone());
        let driver = Driver::new(
            self.mapping.clone(),
            machine,
            destination,
            consumer,
            orders,
            self.invoker.clone(),
            self.progress.clone(),
        );
        let mut moves = self.moves.lock().await;
        let driven = driver
            .run(
                received,
                polling,
                tuned,
                &mut moves,
                self.shutdown.clone(),
                self.limits.drain,
            )
            .await;
        let left = open.leave().await;
        match driven {
            // everything in flight was done and committed, and the host needs no other consumer
            Err(Broken::Unassigned(_) | Broken::Astray(_)) if *self.shutdown.borrow() => {
                return left;
            }
            Err(Broken::Fenced) => self.membership().fenced(Instant::now(), rand::random()),
            Err(Broken::Unassigned(_)) => self.membership().rename(rand::random()),
            Ok(()) | Err(Broken::Astray(_) | Broken::Other(_)) => {}
        }
        let driven = driven.map_err(|broken| broken.to_string());
        driven.inspect_err(|why| self.progress.ended(why))?;
        left
    }
}

/// An open consumer and the thread that polls it.
struct Open {
    mapping: String,
    stop: Arc<AtomicBool>,
    owned: Option<(JoinHandle<()>, Arc<MappingConsumer>)>,
}

impl Open {
    /// Ends the polling thread, then closes the consumer, which blocks; at most [`LEAVING`], since nothing depends on it: what is done is
    /// committed, and the broker notices a member that sends nothing.
    async fn leave(&mut self) -> Result<(), String> {
        let Some(left) = self.close()? else {
            return Ok(());
        };
        match tokio::time::timeout(LEAVING, left).await {
            Ok(Ok(true)) => Ok(()),
            Ok(_) => Err("its polling thread panicked".to_owned()),
            Err(_) => {
                tracing::warn!(
                    mapping = self.mapping,
                    "Kafka has not let it leave its group within {} s; the group notices when its session runs out",
                    LEAVING.as_secs()
                );
                Ok(())
            }
        }
    }

    /// Begins to close both. Resolves to whether the polling thread ended without a panic; `None`: they are closed already.
    fn close(&mut self) -> Result<Option<oneshot::Receiver<bool>>, String> {
        self.stop.store(true, Ordering::Relaxed);
        let Some((polling, consumer)) = self.owned.take() else {
            return Ok(None);
        };
        let (left, leaving) = oneshot::channel();
        // not a blocking task, which the runtime would wait for at its end
        let thread = std::thread::Builder::new()
            .name(format!("close {}", self.mapping))
            .spawn(move || {
                let polled = polling.join();
                // a queue of a partition holds its consumer
                drop(consumer.context().changes());
                drop(consumer);
                // the receiver is gone when the time is over
                let _ = left.send(polled.is_ok());
            });
        thread.map_err(|error| format!("cannot start a thread: {error}"))?;
        Ok(Some(leaving))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Err(why) = self.close() {
            tracing::error!(mapping = self.mapping, "a consumer stays open: {why}");
        }
    }
}
