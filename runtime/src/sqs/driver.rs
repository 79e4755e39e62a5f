//! The task between the queue, the pure machine and the functions: it feeds the one and obeys the other.

mod observed;

use event_sources::{InvocationId, Millis};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_sqs::types::{Message as Received, MessageSystemAttributeName};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

use super::client::{Sqs, Wrong};
use super::counting::Counting;
use super::encode;
use super::queues;
use super::settlement::{Verdict, settle};
use super::status::Progress;
use crate::invocation::{Invoker, Outcome, Rejected, Request, Response, error_text};
use crate::observation::Repeats;
use crate::supervision::panic_text;
use crate::tuning::SourceSettings;
use crate::waiting::{turned, until};
use event_sources::queue::{
    MessageKey, QueueAction, QueueBatchResult, QueueInput, QueueMachine, QueueMessage, ReceiveId,
    failed_messages,
};
use sam_template::model::{Queue, SqsMapping};

/// A function that the host could start no process for is tried again after so long.
const NO_CAPACITY: Duration = Duration::from_millis(500);

/// A message that is this host's for now.
struct Held {
    id: String,
    receipt: String,
    /// When it was sent, milliseconds since 1970, as the queue says.
    sent: Option<i64>,
    /// Its JSON; taken when the event is made of it.
    record: Vec<u8>,
}

/// What a task of the driver ends with.
enum Ended {
    Receive(ReceiveId, Result<Vec<Received>, Wrong>),
    /// The queue was not asked: the host drains, or the mapping was paused while the function was busy.
    NotAsked(ReceiveId),
    Invocation(InvocationId, Result<Response, Rejected>),
    /// The queue was told.
    Settlement,
}

pub(super) struct Driver {
    mapping: Arc<SqsMapping>,
    machine: QueueMachine,
    sqs: Sqs,
    queues: Arc<[Queue]>,
    invoker: Invoker,
    progress: Arc<Progress>,
    held: HashMap<MessageKey, Held>,
    next_key: MessageKey,
    batches: BTreeMap<InvocationId, Vec<MessageKey>>,
    tasks: JoinSet<Ended>,
    /// Requests for messages that failed.
    unanswered: Repeats<()>,
    started: Instant,
    /// Invocations that an instance has taken over.
    begins: mpsc::UnboundedSender<InvocationId>,
    begun: mpsc::UnboundedReceiver<InvocationId>,
    /// True while an operator pauses the mapping: requests that still wait for the function are not made.
    paused: watch::Sender<bool>,
    /// Turns true when the host drains.
    shutdown: watch::Receiver<bool>,
}

impl Driver {
    pub(super) fn new(
        mapping: Arc<SqsMapping>,
        machine: QueueMachine,
        sqs: Sqs,
        queues: Arc<[Queue]>,
        invoker: Invoker,
        progress: Arc<Progress>,
        shutdown: watch::Receiver<bool>,
    ) -> Self {
        let (begins, begun) = mpsc::unbounded_channel();
        Self {
            mapping,
            machine,
            sqs,
            queues,
            invoker,
            progress,
            held: HashMap::new(),
            next_key: 0,
            batches: BTreeMap::new(),
            tasks: JoinSet::new(),
            unanswered: Repeats::default(),
            started: Instant::now(),
            begins,
            begun,
            paused: watch::Sender::new(false),
            shutdown,
        }
    }

    /// Runs until the host drains and everything that was received is invoked and settled, or `patience` is over.
    ///
    /// # Errors
    /// What broke off.
    pub(super) async fn run(
        mut self,
        mut tuned: watch::Receiver<Option<SourceSettings>>,
        patience: Duration,
    ) -> Result<(), String> {
        let mut shutdown = self.shutdown.clone();
        let mut deadline: Option<tokio::time::Instant> = None;
        self.step(QueueInput::Tick);
        self.show();
        let mut count = Counting::default();
        while deadline.is_none() || !self.tasks.is_empty() {
            let wake = self.machine.wake().map(|at| self.instant(at).into());
            tokio::select! {
                Some(ended) = self.tasks.join_next() => match ended {
                    Ok(ended) => self.ended(ended),
                    // what it held comes again from the queue
                    Err(error) => return Err(panic_text(error)),
                },
                Some(id) = self.begun.recv() => self.step(QueueInput::Begun(id)),
                Ok(()) = tuned.changed() => {
                    let settings = tuned.borrow_and_update().clone();
                    if let Some(settings) = settings {
                        self.paused.send_replace(settings.paused);
                        self.progress.paused(settings.paused);
                        self.step(QueueInput::Tuned(settings));
                    }
                }
                () = until(wake) => self.step(QueueInput::Tick),
                counted = count.next(&self.sqs, self.mapping.queue_name()), if deadline.is_none() => self.counted(counted),
                () = turned(&mut shutdown), if deadline.is_none() => {
                    deadline = Some(tokio::time::Instant::now() + patience);
                    self.step(QueueInput::Drain);
                }
                () = until(deadline) => {
                    tracing::warn!(mapping = %self.mapping.id, "messages still in flight at the end of the drain come again when their visibility is over");
                    return Ok(());
                }
            }
            self.show();
        }
        Ok(())
    }

    fn now(&self) -> Millis {
        self.started.elapsed().as_millis() as Millis
    }

    fn instant(&self, at: Millis) -> Instant {
        self.started + Duration::from_millis(at.max(0) as u64)
    }

    fn step(&mut self, input: QueueInput) {
        let mut actions = Vec::new();
        self.machine.step(self.now(), input, &mut actions);
        for action in actions {
            self.obey(action);
        }
    }

    fn ended(&mut self, ended: Ended) {
        match ended {
            Ended::Receive(id, Ok(messages)) => {
                self.progress.problem(None);
                if let Some(errors) = self.unanswered.over(&()) {
                    tracing::info!(errors, mapping = %self.mapping.id, "{} answers again", self.mapping.queue_name());
                }
                Progress::add(&self.progress.received, messages.len());
                let (messages, dropped): (Vec<_>, Vec<_>) = messages
                    .into_iter()
                    .partition(|message| self.wants(message));
                self.drop_filtered(dropped);
                let messages = messages.iter().map(|message| self.take(message)).collect();
                self.step(QueueInput::Received(id, messages));
            }
            Ended::Receive(id, Err(why)) => {
                self.progress.problem(Some(self.problem(&why)));
                let why = why.to_string();
                if let Some(times) = self.unanswered.failed(Instant::now(), (), &why) {
                    tracing::warn!(times, mapping = %self.mapping.id, "{} at {} cannot be asked: {why}. It is tried until it can", self.mapping.queue_name(), self.sqs.endpoint());
                }
                self.step(QueueInput::ReceiveFailed(id));
            }
            Ended::NotAsked(id) => self.step(QueueInput::Received(id, Vec::new())),
            Ended::Invocation(id, result) => {
                let said = error_text(&result);
                let messages = self.batches.get(&id).map_or(0, Vec::len);
                let finish = self.judge(id, result);
                self.show_finish(messages, &finish, said);
                self.step(QueueInput::Finished(id, finish));
            }
            Ended::Settlement => {}
        }
    }

    /// Whether the function is to see it.
    fn wants(&self, message: &Received) -> bool {
        let body = message.body().map(str::as_bytes);
        self.mapping
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
            Progress::add(&self.progress.filtered, receipts.len());
            self.progress.dropped();
            self.tell(Verdict::Delete, receipts);
        }
    }

    /// Holds a message, and says what the machine needs to know of it.
    fn take(&mut self, message: &Received) -> QueueMessage {
        self.next_key += 1;
        let record = encode::record(message, &self.mapping.queue_arn);
        // standard queues may carry a group, too, which keeps no order there
        let group = message.attributes().filter(|_| self.mapping.fifo());
        let group = group
            .and_then(|attributes| attributes.get(&MessageSystemAttributeName::MessageGroupId));
        let known = QueueMessage {
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
            known.key,
            Held {
                id,
                receipt,
                sent,
                record,
            },
        );
        known
    }

    fn obey(&mut self, action: QueueAction) {
        match action {
            QueueAction::Receive { id, most, wait } => {
                let (sqs, mapping, queues) =
                    (self.sqs.clone(), self.mapping.clone(), self.queues.clone());
                let invoker = self.invoker.clone();
                let progress = self.progress.clone();
                let mut shutdown = self.shutdown.clone();
                let mut paused = self.paused.subscribe();
                self.tasks.spawn(async move {
                    tokio::select! {
                        () = room(&invoker, &mapping.function, &progress) => {}
                        () = turned(&mut shutdown) => return Ended::NotAsked(id),
                        () = turned(&mut paused) => return Ended::NotAsked(id),
                    }
                    let mut received = sqs.receive(mapping.queue_name(), most, wait).await;
                    // the server answers and has lost the queue, as one without a disk does when it is restarted
                    if received == Err(Wrong::NoQueue)
                        && let Err(why) = queues::ensure(&sqs, &queues).await
                    {
                        received = Err(Wrong::Other(why));
                    }
                    Ended::Receive(id, received)
                });
            }
            QueueAction::Invoke { id, batch } => self.invoke(id, batch),
            QueueAction::Extend(keys) => {
                let receipts = keys
                    .iter()
                    .filter_map(|key| Some(self.held.get(key)?.receipt.clone()))
                    .collect();
                self.tell(Verdict::Hide(self.machine.hidden()), receipts);
            }
            QueueAction::Delete(keys) => self.settle(Verdict::Delete, &keys),
            QueueAction::Release(keys) => self.settle(Verdict::Release, &keys),
            QueueAction::Leave(keys) => {
                Progress::add(&self.progress.failed, keys.len());
                for key in &keys {
                    self.held.remove(key);
                }
            }
        }
    }

    fn invoke(&mut self, id: InvocationId, batch: Vec<MessageKey>) {
        let taken = batch
            .iter()
            .filter_map(|key| Some(std::mem::take(&mut self.held.get_mut(key)?.record)));
        let records: Vec<Vec<u8>> = taken.collect();
        let began = Arc::new(Notify::new());
        let request = Request {
            records: records.len(),
            begun: Some(began.clone()),
            ..Request::new(self.mapping.function.clone(), encode::event(&records))
        };
        self.batches.insert(id, batch);
        Progress::add(&self.progress.batches, 1);
        let invoker = self.invoker.clone();
        let begins = self.begins.clone();
        self.tasks.spawn(async move {
            let mut invocation = std::pin::pin!(invoke(&invoker, request));
            tokio::select! {
                biased;
                ended = &mut invocation => return Ended::Invocation(id, ended),
                // the driver is gone only when its tasks are
                () = began.notified() => drop(begins.send(id)),
            }
            Ended::Invocation(id, invocation.await)
        });
    }

    fn settle(&mut self, verdict: Verdict, keys: &[MessageKey]) {
        let receipts: Vec<String> = keys
            .iter()
            .filter_map(|key| Some(self.held.remove(key)?.receipt))
            .collect();
        self.tell(verdict, receipts);
    }

    fn tell(&mut self, verdict: Verdict, receipts: Vec<String>) {
        let sqs = self.sqs.clone();
        let mapping = self.mapping.clone();
        let progress = self.progress.clone();
        self.tasks.spawn(async move {
            let all = receipts.len();
            let (taken, why) = settle(&sqs, mapping.queue_name(), verdict, receipts).await;
            let missed = all - taken;
            let why = why.unwrap_or_default();
            match verdict {
                Verdict::Delete => {
                    Progress::add(&progress.deleted, taken);
                    Progress::add(&progress.not_deleted, missed);
                    if missed > 0 {
                        tracing::warn!(mapping = %mapping.id, messages = missed, "done, but not deleted ({why}); they come again");
                    }
                }
                Verdict::Release => {
                    Progress::add(&progress.released, all);
                    if missed > 0 {
                        tracing::warn!(mapping = %mapping.id, messages = missed, "not given back ({why}); they come again when their visibility is over");
                    }
                }
                Verdict::Hide(_) if missed > 0 => {
                    tracing::warn!(mapping = %mapping.id, messages = missed,
                        "messages that wait for their function cannot be hidden any longer ({why}); the queue may give them to another consumer");
                }
                Verdict::Hide(_) => {}
            }
            Ended::Settlement
        });
    }

    /// What an invocation's result means for its batch.
    fn judge(&mut self, id: InvocationId, result: Result<Response, Rejected>) -> QueueBatchResult {
        let batch = self.batches.remove(&id).unwrap_or_default();
        let mapping = &self.mapping.id;
        let messages = batch.len();
        match result {
            Ok(Response {
                outcome: Outcome::Answer(_),
                ..
            }) if !self.mapping.partial_responses => QueueBatchResult::Answered(Vec::new()),
            Ok(Response {
                outcome: Outcome::Answer(answer),
                request_id,
            }) => match self.failed(&batch, &answer) {
                Ok(failed) => QueueBatchResult::Answered(failed),
                Err(why) => {
                    tracing::error!(%mapping, request_id, messages, "{why}; the whole batch counts as failed");
                    QueueBatchResult::Failed
                }
            },
            Ok(Response {
                outcome: Outcome::Interrupted(_),
                ..
            })
            | Err(Rejected::ShuttingDown) => QueueBatchResult::NotInvoked,
            Ok(Response {
                outcome: Outcome::Error(error),
                request_id,
            }) => {
                tracing::warn!(%mapping, request_id, messages, error_type = error.error_type, "batch failed: {}", error.message);
                QueueBatchResult::Failed
            }
            Err(rejected @ (Rejected::Throttled(_) | Rejected::NoCapacity { .. })) => {
                tracing::warn!(%mapping, messages, "{rejected}; the batch goes back to the queue");
                QueueBatchResult::NotInvoked
            }
            Err(rejected @ (Rejected::NotFound(_) | Rejected::TooLarge(_))) => {
                tracing::error!(%mapping, messages, "batch failed: {rejected}");
                QueueBatchResult::Failed
            }
        }
    }

    /// The messages of the batch that the function's answer names.
    fn failed(&self, batch: &[MessageKey], answer: &[u8]) -> Result<Vec<MessageKey>, String> {
        let ids: Vec<(&str, MessageKey)> = batch
            .iter()
            .filter_map(|key| Some((self.held.get(key)?.id.as_str(), *key)))
            .collect();
        let failed = failed_messages(answer, |id| ids.iter().any(|(known, _)| *known == id))?;
        Ok(ids
            .into_iter()
            .filter(|(id, _)| failed.iter().any(|failed| failed == id))
            .map(|(_, key)| key)
            .collect())
    }
}

/// Waits until the function can begin soon; the status says so where it has to wait.
async fn room(invoker: &Invoker, function: &str, progress: &Progress) {
    let mut ready = std::pin::pin!(invoker.ready(function));
    tokio::select! {
        biased;
        () = &mut ready => return,
        () = std::future::ready(()) => {}
    }
    progress.blocked(Some(format!(
        "every instance of {function} is busy with other events, so no message is taken from the queue. Raise its concurrency limit, or mend \
         what does not end"
    )));
    ready.await;
    progress.blocked(None);
}

/// Runs the function. While the host has no process for it the batch waits here: one that is given back counts as received, and a queue
/// that allows few receives would set it aside.
async fn invoke(invoker: &Invoker, request: Request) -> Result<Response, Rejected> {
    loop {
        let ended = invoker.invoke(request.clone(), true).await;
        if !matches!(ended, Err(Rejected::NoCapacity { .. })) {
            return ended;
        }
        tokio::time::sleep(NO_CAPACITY).await;
    }
}
