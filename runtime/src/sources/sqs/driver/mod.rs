//! The task of a mapping: feeds the machine with inputs and executes its actions.

mod invocation;
mod observed;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_sqs::types::{Message as Received, MessageSystemAttributeName};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::client::SqsError;
use super::depth::DepthPoller;
use super::settlement::{Disposition, settle};
use super::status::SqsProgress;
use super::{SqsSource, encode, queues};
use crate::clock::Clock;
use crate::invocation::{Rejected, Response, error_text};
use crate::observation::Repeats;
use crate::sources::mapping::function_ready;
use crate::sources::tuned::TunedSettings;
use crate::supervision::TaskError;
use crate::waiting::{turned, until};
use event_sources::InvocationId;
use event_sources::health::SourceWatch;
use event_sources::queue::{
    MessageKey, QueueAction, QueueInput, QueueMachine, QueueMessage, ReceiveId,
};

/// Minimum time between two updates of the status, each of which looks at every held message.
const STATUS_INTERVAL: Duration = Duration::from_millis(100);

/// A received message that is not settled.
struct HeldMessage {
    id: String,
    receipt: String,
    /// `SentTimestamp`, milliseconds since 1970.
    sent: Option<i64>,
    /// Its JSON; moved into the event.
    record: Vec<u8>,
}

/// The result of a task of the driver.
enum TaskResult {
    Receive(ReceiveId, Result<Vec<Received>, SqsError>),
    /// No request was made: the host drains, or the mapping was paused while the function was busy.
    NotRequested(ReceiveId),
    Invocation(InvocationId, Result<Response, Rejected>),
    /// Messages were settled.
    Settlement,
}

pub(super) struct SqsDriver {
    source: Arc<SqsSource>,
    machine: QueueMachine,
    progress: Arc<SqsProgress>,
    held: HashMap<MessageKey, HeldMessage>,
    next_key: MessageKey,
    batches: BTreeMap<InvocationId, Vec<MessageKey>>,
    tasks: JoinSet<TaskResult>,
    /// Failed receives.
    failures: Repeats<()>,
    clock: Clock,
    /// Invocations that an instance has begun.
    begins: mpsc::UnboundedSender<InvocationId>,
    begun: mpsc::UnboundedReceiver<InvocationId>,
    /// True while an operator pauses the mapping. Cancels requests that wait for the function.
    paused: watch::Sender<bool>,
    /// Turns true when the host drains.
    stopping: watch::Receiver<bool>,
}

impl SqsDriver {
    pub(super) fn new(source: Arc<SqsSource>, stopping: watch::Receiver<bool>) -> Self {
        let (begins, begun) = mpsc::unbounded_channel();
        Self {
            machine: QueueMachine::new(source.settings.clone()),
            progress: source.progress.clone(),
            source,
            held: HashMap::new(),
            next_key: 0,
            batches: BTreeMap::new(),
            tasks: JoinSet::new(),
            failures: Repeats::default(),
            clock: Clock::start(),
            begins,
            begun,
            paused: watch::Sender::new(false),
            stopping,
        }
    }

    /// Runs until the host drains and all received messages are invoked and settled, or the time
    /// of the drain is over.
    ///
    /// # Errors
    /// A task panicked.
    pub(super) async fn run(mut self, mut tuned: TunedSettings) -> Result<(), TaskError> {
        let mut shutdown = self.stopping.clone();
        let mut deadline: Option<tokio::time::Instant> = None;
        self.step(QueueInput::Tick);
        self.report_overview();
        let mut depth = DepthPoller::default();
        let mut reported = Instant::now();
        // something has happened since
        let mut changed = false;
        while deadline.is_none() || !self.tasks.is_empty() {
            let wake = self.machine.wake().map(|at| self.clock.instant(at).into());
            let report = changed.then(|| (reported + STATUS_INTERVAL).into());
            tokio::select! {
                Some(ended) = self.tasks.join_next() => match ended {
                    Ok(ended) => self.ended(ended),
                    // the queue delivers the messages again
                    Err(error) => return Err(error.into()),
                },
                Some(id) = self.begun.recv() => self.step(QueueInput::Begun(id)),
                Ok(()) = tuned.changed() => {
                    let settings = tuned.borrow_and_update().clone();
                    if let Some(settings) = settings {
                        self.paused.send_replace(settings.paused);
                        self.progress.observe(|watch, now| watch.paused(now, settings.paused));
                        self.step(QueueInput::Tuned(settings));
                    }
                }
                () = until(wake) => self.step(QueueInput::Tick),
                () = until(report) => {}
                found = depth.next(&self.source.sqs, self.source.mapping.queue_name()),
                    if deadline.is_none() => self.depth_received(found),
                () = turned(&mut shutdown), if deadline.is_none() => {
                    deadline = Some(tokio::time::Instant::now() + self.source.drain);
                    self.step(QueueInput::Drain);
                }
                () = until(deadline) => {
                    tracing::warn!(
                        mapping = %self.source.mapping.id,
                        "messages still in flight at the end of the drain are delivered again \
                         after their visibility timeout"
                    );
                    return Ok(());
                }
            }
            changed = true;
            if reported.elapsed() >= STATUS_INTERVAL {
                self.report_overview();
                reported = Instant::now();
                changed = false;
            }
        }
        self.report_overview();
        Ok(())
    }

    fn step(&mut self, input: QueueInput) {
        let mut actions = Vec::new();
        self.machine.step(self.clock.now(), input, &mut actions);
        for action in actions {
            self.execute(action);
        }
    }

    fn ended(&mut self, ended: TaskResult) {
        match ended {
            TaskResult::Receive(id, Ok(messages)) => {
                self.progress.problem(None);
                if let Some(errors) = self.failures.over(&()) {
                    let mapping = &self.source.mapping;
                    let queue = mapping.queue_name();
                    tracing::info!(errors, mapping = %mapping.id, "{queue} answers again");
                }
                self.progress
                    .count(|status| status.received += messages.len() as u64);
                let (messages, dropped): (Vec<_>, Vec<_>) = messages
                    .into_iter()
                    .partition(|message| self.keeps(message));
                self.drop_filtered(dropped);
                let messages = messages.iter().map(|message| self.hold(message)).collect();
                self.step(QueueInput::Received(id, messages));
            }
            TaskResult::Receive(id, Err(why)) => {
                self.progress.problem(Some(self.problem(&why)));
                let why = why.to_string();
                if let Some(times) = self.failures.failed(Instant::now(), (), &why) {
                    let SqsSource { mapping, sqs, .. } = &*self.source;
                    tracing::warn!(
                        times,
                        mapping = %mapping.id,
                        "{} at {} cannot be read: {why}. The mapping retries until it can",
                        mapping.queue_name(),
                        sqs.endpoint()
                    );
                }
                self.step(QueueInput::ReceiveFailed(id));
            }
            TaskResult::NotRequested(id) => self.step(QueueInput::Received(id, Vec::new())),
            TaskResult::Invocation(id, result) => {
                let error = error_text(&result);
                let messages = self.batches.get(&id).map_or(0, Vec::len);
                let result = self.classify(id, &result);
                self.report_result(messages, &result, error);
                self.step(QueueInput::Finished(id, result));
            }
            TaskResult::Settlement => {}
        }
    }

    /// Whether the filters keep a message.
    fn keeps(&self, message: &Received) -> bool {
        let body = message.body().map(str::as_bytes);
        self.source
            .mapping
            .filters
            .as_ref()
            .is_none_or(|filters| filters.keep(body))
    }

    /// Deletes messages that the filters drop, as the service does.
    fn drop_filtered(&mut self, messages: Vec<Received>) {
        let receipts: Vec<String> = messages
            .into_iter()
            .filter_map(|message| message.receipt_handle)
            .collect();
        if !receipts.is_empty() {
            self.progress
                .count(|status| status.filtered += receipts.len() as u64);
            self.progress.observe(SourceWatch::progressed);
            self.settle_receipts(Disposition::Delete, receipts);
        }
    }

    /// Stores a message and returns its form for the machine.
    fn hold(&mut self, message: &Received) -> QueueMessage {
        self.next_key += 1;
        let record = encode::record(message, &self.source.mapping.queue_arn);
        // a group of a standard queue does not order messages
        let group = message.attributes().filter(|_| self.source.mapping.fifo());
        let group = group
            .and_then(|attributes| attributes.get(&MessageSystemAttributeName::MessageGroupId));
        let queued = QueueMessage {
            key: self.next_key,
            size: record.len() + 1,
            group: group.map(|group| group.as_str().into()),
        };
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let sent = message
            .attributes()
            .and_then(|attributes| attributes.get(&MessageSystemAttributeName::SentTimestamp));
        let sent = sent.and_then(|sent| sent.parse().ok());
        let id = text(message.message_id());
        let receipt = text(message.receipt_handle());
        self.held.insert(
            queued.key,
            HeldMessage {
                id,
                receipt,
                sent,
                record,
            },
        );
        queued
    }

    fn execute(&mut self, action: QueueAction) {
        match action {
            QueueAction::Receive { id, max, wait } => {
                let source = self.source.clone();
                let mut shutdown = self.stopping.clone();
                let mut paused = self.paused.subscribe();
                self.tasks.spawn(async move {
                    tokio::select! {
                        () = ready(&source) => {}
                        () = turned(&mut shutdown) => return TaskResult::NotRequested(id),
                        () = turned(&mut paused) => return TaskResult::NotRequested(id),
                    }
                    let SqsSource {
                        sqs,
                        mapping,
                        queues,
                        ..
                    } = &*source;
                    let mut received = sqs.receive(mapping.queue_name(), max, wait, None).await;
                    // a server without a disk loses its queues in a restart
                    if received == Err(SqsError::NoQueue)
                        && let Err(why) = queues::ensure(sqs, queues).await
                    {
                        received = Err(SqsError::Other(why.to_string()));
                    }
                    TaskResult::Receive(id, received)
                });
            }
            QueueAction::Invoke { id, batch } => self.invoke(id, batch),
            QueueAction::Extend(keys) => {
                let receipts = keys
                    .iter()
                    .filter_map(|key| Some(self.held.get(key)?.receipt.clone()))
                    .collect();
                self.settle_receipts(Disposition::Hide(self.machine.hidden()), receipts);
            }
            QueueAction::Delete(keys) => self.settle(Disposition::Delete, &keys),
            QueueAction::Release(keys) => self.settle(Disposition::Release, &keys),
            QueueAction::Leave(keys) => {
                self.progress
                    .count(|status| status.failed += keys.len() as u64);
                for key in &keys {
                    self.held.remove(key);
                }
            }
        }
    }

    fn settle(&mut self, disposition: Disposition, keys: &[MessageKey]) {
        let receipts: Vec<String> = keys
            .iter()
            .filter_map(|key| Some(self.held.remove(key)?.receipt))
            .collect();
        self.settle_receipts(disposition, receipts);
    }

    fn settle_receipts(&mut self, disposition: Disposition, receipts: Vec<String>) {
        let source = self.source.clone();
        self.tasks.spawn(async move {
            let SqsSource {
                sqs,
                mapping,
                progress,
                ..
            } = &*source;
            let all = receipts.len();
            let (settled, why) = settle(sqs, mapping.queue_name(), disposition, receipts).await;
            let missed = all - settled;
            let why = why.unwrap_or_default();
            match disposition {
                Disposition::Delete => {
                    progress.count(|status| status.deleted += settled as u64);
                    progress.count(|status| status.not_deleted += missed as u64);
                    if missed > 0 {
                        tracing::warn!(mapping = %mapping.id, messages = missed, "processed, but \
                             not deleted ({why}); the queue delivers them again");
                    }
                }
                Disposition::Release => {
                    progress.count(|status| status.released += all as u64);
                    if missed > 0 {
                        tracing::warn!(mapping = %mapping.id, messages = missed, "not released \
                             ({why}); the queue delivers them again after their visibility \
                             timeout");
                    }
                }
                Disposition::Hide(_) if missed > 0 => {
                    tracing::warn!(mapping = %mapping.id, messages = missed,
                        "messages that wait for their function cannot be hidden any longer \
                         ({why}); the \
                         queue may deliver them to another consumer");
                }
                Disposition::Hide(_) => {}
            }
            TaskResult::Settlement
        });
    }
}

/// Waits until the function can begin soon. The status names the reason of a wait.
async fn ready(source: &SqsSource) {
    let function = &source.mapping.function;
    let report = |why| source.progress.observe(|watch, _| watch.blocked(why));
    function_ready(&source.invoker, function, "no message is received", report).await;
}
