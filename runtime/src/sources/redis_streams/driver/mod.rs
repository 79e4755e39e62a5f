//! The task of a source: feeds the machine with inputs and executes its actions.

mod actions;
mod consumer;
mod invocation;
mod observed;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use event_sources::InvocationId;
use event_sources::health::SourceWatch;
use event_sources::redis_stream::{
    DeliveredEntry, EntryContent, EntryKey, RedisStreamInput, RedisStreamMachine,
};
use redis_streams::{Delivery, EntryId, GroupReader, GroupState, Hold, LinkError};
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::consumer::Consumer;
use super::encode::{EncodedEntry, encode};
use super::progress::RedisStreamProgress;
use super::source::RedisStreamRuns;
use crate::clock::Clock;
use crate::invocation::{Rejected, Response, error_text};
use crate::observation::Repeats;
use crate::sources::error::SourceError;
use crate::sources::tuned::TunedSettings;
use crate::supervision::TaskError;
use crate::waiting::{turned, until};

/// Pause between two requests for the progress of the group.
const STATE_INTERVAL: Duration = Duration::from_secs(2);

/// Time limit of leaving the group at the end of a drain.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);

/// What the driver stores of an entry.
struct HeldEntry {
    content: HeldContent,
    /// Why its last attempt failed.
    error: Option<Arc<str>>,
}

/// The kinds of requests to Redis. The source is unwell until each kind succeeds again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum RequestKind {
    Read,
    Hold,
    Settle,
}

enum HeldContent {
    Record(EncodedEntry),
    Filtered,
    /// Why no record can represent it.
    Unreadable(String),
}

/// The result of a task of the driver.
enum TaskResult {
    /// The consumer, and what it read.
    Read(Box<Consumer>, Result<Vec<Delivery>, LinkError>),
    /// No read was made: the host drains, or the source was paused while the function was busy.
    NotRead(Box<Consumer>),
    /// The entries, and what became of each. `all`: these were all entries.
    Held {
        all: bool,
        keys: Vec<EntryKey>,
        held: Result<Vec<Hold>, LinkError>,
    },
    Acknowledged(Vec<EntryKey>, Result<u64, LinkError>),
    /// The entries, and whether this consumer parked each.
    Parked(Vec<EntryKey>, Result<Vec<bool>, LinkError>),
    Invocation(InvocationId, Result<Response, Rejected>),
    State(Result<GroupState, LinkError>),
}

pub(super) struct RedisStreamDriver {
    source: Arc<RedisStreamRuns>,
    stopping: watch::Receiver<bool>,
    machine: RedisStreamMachine,
    progress: Arc<RedisStreamProgress>,
    /// Reads. `None` while a read is open.
    consumer: Option<Box<Consumer>>,
    /// The same consumer of the group, for everything but reading.
    group: Arc<GroupReader>,
    held: HashMap<EntryKey, HeldEntry>,
    batches: BTreeMap<InvocationId, Vec<EntryKey>>,
    tasks: JoinSet<TaskResult>,
    /// Failed requests to Redis.
    failures: Repeats<RequestKind>,
    clock: Clock,
    /// True while an operator pauses the source. Cancels a read that waits for the function.
    paused: watch::Sender<bool>,
}

/// The id of an entry for the machine.
fn key(id: EntryId) -> EntryKey {
    (id.ms, id.seq)
}

fn id((ms, seq): EntryKey) -> EntryId {
    EntryId { ms, seq }
}

impl RedisStreamDriver {
    pub(super) fn new(source: Arc<RedisStreamRuns>, stopping: watch::Receiver<bool>) -> Self {
        Self {
            machine: RedisStreamMachine::new(source.settings.clone()),
            progress: source.progress.clone(),
            consumer: Some(Box::new(Consumer::new(source.reader()))),
            group: Arc::new(source.reader()),
            source,
            stopping,
            held: HashMap::new(),
            batches: BTreeMap::new(),
            tasks: JoinSet::new(),
            failures: Repeats::default(),
            clock: Clock::start(),
            paused: watch::Sender::new(false),
        }
    }

    /// Runs until the host drains and all that has begun is settled, or the time of the drain is
    /// over. Then the group keeps the rest, for any consumer.
    ///
    /// # Errors
    /// A task panicked.
    pub(super) async fn run(mut self, mut tuned: TunedSettings) -> Result<(), SourceError> {
        let mut stopping = self.stopping.clone();
        let mut deadline: Option<tokio::time::Instant> = None;
        let mut state_due = Some(tokio::time::Instant::now() + STATE_INTERVAL);
        self.step(RedisStreamInput::Tick);
        while deadline.is_none() || !self.tasks.is_empty() || !self.machine.is_idle() {
            let wake = self.machine.wake().map(|at| self.clock.instant(at).into());
            tokio::select! {
                Some(ended) = self.tasks.join_next() => match ended {
                    Ok(TaskResult::State(state)) => {
                        state_due = Some(tokio::time::Instant::now() + STATE_INTERVAL);
                        self.state_received(state);
                    }
                    Ok(ended) => self.ended(ended),
                    // the entries stay pending, and the next run continues with them
                    Err(error) => return Err(SourceError::ended(TaskError::from(error))),
                },
                Ok(()) = tuned.changed() => {
                    let settings = tuned.borrow_and_update().clone();
                    if let Some(settings) = settings {
                        self.paused.send_replace(settings.paused);
                        self.progress.observe(|watch, now| watch.paused(now, settings.paused));
                        self.step(RedisStreamInput::Tuned(settings));
                    }
                }
                () = until(wake) => self.step(RedisStreamInput::Tick),
                () = until(state_due), if deadline.is_none() => {
                    state_due = None;
                    let group = self.group.clone();
                    self.tasks.spawn(async move { TaskResult::State(group.state().await) });
                }
                () = turned(&mut stopping), if deadline.is_none() => {
                    deadline = Some(tokio::time::Instant::now() + self.source.drain);
                    self.step(RedisStreamInput::Drain);
                }
                () = until(deadline) => {
                    tracing::warn!(
                        mapping = %self.source.mapping.id,
                        "entries still in flight at the end of the drain are delivered again"
                    );
                    break;
                }
            }
            self.progress.set_overview(self.machine.overview());
        }
        self.leave().await;
        Ok(())
    }

    /// Leaves the group, so that other consumers receive at once what this one still holds.
    async fn leave(&self) {
        let left = tokio::time::timeout(LEAVE_TIMEOUT, self.group.leave()).await;
        if !matches!(left, Ok(Ok(_))) {
            tracing::warn!(
                mapping = %self.source.mapping.id,
                "leaving the group {} failed; what this host holds is delivered again when it \
                 starts, or to another consumer after {} s",
                self.source.mapping.group,
                self.source.mapping.idle.as_secs()
            );
        }
    }

    fn step(&mut self, input: RedisStreamInput) {
        let mut actions = Vec::new();
        self.machine.step(self.clock.now(), input, &mut actions);
        for action in actions {
            self.execute(action);
        }
    }

    fn ended(&mut self, ended: TaskResult) {
        match ended {
            TaskResult::Read(consumer, read) => self.read_ended(consumer, read),
            TaskResult::NotRead(consumer) => {
                self.consumer = Some(consumer);
                self.step(RedisStreamInput::Read(Vec::new()));
            }
            TaskResult::Held { all, keys, held } => self.hold_ended(all, keys, held),
            TaskResult::Acknowledged(keys, Ok(_)) => {
                self.progress
                    .count(|status| status.acknowledged += keys.len() as u64);
                self.settled(keys);
            }
            TaskResult::Parked(keys, Ok(parked)) => {
                self.report_parked(&keys, &parked);
                self.settled(keys);
            }
            TaskResult::Acknowledged(keys, Err(why)) | TaskResult::Parked(keys, Err(why)) => {
                self.request_failed(RequestKind::Settle, &why);
                self.step(RedisStreamInput::SettleFailed(keys));
            }
            TaskResult::Invocation(invocation, result) => {
                let error = error_text(&result);
                let batch = self.batches.remove(&invocation).unwrap_or_default();
                let result = self.classify(&batch, &result);
                self.report_result(&batch, &result, error);
                self.step(RedisStreamInput::Finished(invocation, result));
            }
            TaskResult::State(state) => self.state_received(state),
        }
    }

    fn read_ended(&mut self, mut consumer: Box<Consumer>, read: Result<Vec<Delivery>, LinkError>) {
        let (before, after) = consumer.new_counts();
        self.progress.add_counts(&before, &after);
        if let Some(state) = consumer.take_state() {
            self.group_received(&state);
        }
        self.consumer = Some(consumer);
        if after.recreated > before.recreated {
            self.held.clear();
            self.step(RedisStreamInput::Recreated);
        }
        match read {
            Ok(deliveries) => {
                self.request_succeeded(RequestKind::Read);
                self.progress
                    .count(|status| status.received += deliveries.len() as u64);
                let now = crate::clock::now();
                let entries = deliveries.iter().map(|delivery| self.hold(delivery, now));
                let entries = entries.collect();
                self.step(RedisStreamInput::Read(entries));
            }
            Err(why) => {
                self.request_failed(RequestKind::Read, &why);
                self.step(RedisStreamInput::ReadFailed);
            }
        }
    }

    /// Stores an entry and returns its form for the machine.
    fn hold(&mut self, delivery: &Delivery, now: i64) -> DeliveredEntry {
        let mapping = &self.source.mapping;
        let (content, held) = match encode(&delivery.entry, &self.source.origin, now) {
            Err(why) => (
                EntryContent::Unreadable,
                HeldContent::Unreadable(why.to_string()),
            ),
            Ok(record) => {
                let filters = mapping.filters.as_ref();
                if filters.is_none_or(|filters| filters.keep(Some(record.body.as_bytes()))) {
                    (
                        EntryContent::Record(record.size()),
                        HeldContent::Record(record),
                    )
                } else {
                    self.progress.count(|status| status.filtered += 1);
                    (EntryContent::Filtered, HeldContent::Filtered)
                }
            }
        };
        let key = key(delivery.entry.id);
        let entry = HeldEntry {
            content: held,
            error: None,
        };
        self.held.insert(key, entry);
        DeliveredEntry {
            key,
            deliveries: delivery.deliveries,
            content,
        }
    }

    fn hold_ended(&mut self, all: bool, keys: Vec<EntryKey>, held: Result<Vec<Hold>, LinkError>) {
        let held = match held {
            Ok(held) => held,
            Err(why) => {
                self.request_failed(RequestKind::Hold, &why);
                return self.step(if all {
                    RedisStreamInput::HoldFailed
                } else {
                    RedisStreamInput::CountFailed
                });
            }
        };
        self.request_succeeded(RequestKind::Hold);
        let deleted = held.iter().filter(|held| **held == Hold::Deleted).count();
        self.progress.count(|status| status.lost += deleted as u64);
        let lost = keys.into_iter().zip(held);
        let lost = lost.filter(|(_, held)| *held != Hold::Held);
        let lost: Vec<EntryKey> = lost.map(|(key, _)| key).collect();
        for key in &lost {
            self.held.remove(key);
        }
        if !lost.is_empty() {
            // or they were acknowledged at the same time
            tracing::debug!(
                mapping = %self.source.mapping.id,
                entries = lost.len(),
                "entries that this host held are another consumer's, or the group has none of them"
            );
        }
        self.step(if all {
            RedisStreamInput::Held(lost)
        } else {
            RedisStreamInput::Counted(lost)
        });
    }

    fn settled(&mut self, keys: Vec<EntryKey>) {
        for key in &keys {
            self.held.remove(key);
        }
        self.request_succeeded(RequestKind::Settle);
        self.progress.observe(SourceWatch::progressed);
        self.step(RedisStreamInput::Settled(keys));
    }

    /// A request succeeded. The source is well again once no other kind fails. Without entries,
    /// there is nothing to hold or settle, and no such request would succeed.
    fn request_succeeded(&mut self, kind: RequestKind) {
        let mut errors = self.failures.over(&kind);
        if self.held.is_empty() {
            for kind in [RequestKind::Hold, RequestKind::Settle] {
                errors = errors.or(self.failures.over(&kind));
            }
        }
        if self.failures.is_empty() {
            self.progress.problem(None);
        }
        if let Some(errors) = errors {
            let mapping = &self.source.mapping;
            tracing::info!(
                errors,
                mapping = %mapping.id,
                "requests to the stream {} succeed again",
                mapping.stream
            );
        }
    }

    /// A request failed; it is repeated.
    fn request_failed(&mut self, kind: RequestKind, why: &LinkError) {
        let problem = self.problem(why);
        let reason = problem.reason.clone();
        self.progress.problem(Some(problem));
        if let Some(times) = self.failures.failed(Instant::now(), kind, &why.to_string()) {
            tracing::warn!(times, mapping = %self.source.mapping.id, "{reason}");
        }
    }
}
