//! Dead letters in a queue: of the queues that redrive to it, and of sources that fail to it.

use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::route::{ReturnRoute, reason, route};
use super::stores::QueueSources;
use super::{DeadLetterError, DeadLetterStore, DeadLetterView, ReplaySummary};
use crate::client::InvokeClient;
use crate::sources::sqs::client::{Sqs, SqsError};
use crate::sources::sqs::dead_letters::DeadLetter;

/// How long received dead letters stay hidden from other consumers.
const VISIBILITY: Duration = Duration::from_secs(60);

/// A queue that holds dead letters.
#[derive(Debug)]
pub(super) struct QueueStore {
    name: String,
    sources: QueueSources,
    /// `None`: the application names no SQS endpoint.
    sqs: Option<Sqs>,
}

#[derive(Debug, thiserror::Error)]
enum QueueError {
    #[error("no SQS endpoint is set: name one in usher.toml under [endpoints]")]
    NoEndpoint,
    #[error("queue {queue}: {error}")]
    Queue { queue: String, error: SqsError },
    #[error("an earlier one of its group stays")]
    GroupStays,
}

impl DeadLetterStore for QueueStore {
    fn name(&self) -> &str {
        &self.name
    }

    fn sources(&self) -> String {
        let queues = self.sources.queues.iter();
        let queues = queues.map(|name| format!("queue {name}"));
        let others = self.sources.origins.iter();
        let others = others.flat_map(|origin| origin.sources());
        queues.chain(others).collect::<Vec<_>>().join(", ")
    }

    fn functions(&self) -> Vec<&str> {
        let origins = self.sources.origins.iter();
        origins.flat_map(|origin| origin.functions()).collect()
    }

    fn count(&self) -> BoxFuture<'_, Result<u64, DeadLetterError>> {
        async { Ok(self.sqs()?.count(&self.name).await?) }.boxed()
    }

    fn peek(&self, limit: usize) -> BoxFuture<'_, Result<Vec<DeadLetterView>, DeadLetterError>> {
        async move {
            let dead_letters = self.read(limit).await?;
            Ok(dead_letters.iter().map(|dead| self.view(dead)).collect())
        }
        .boxed()
    }

    fn replay<'a>(
        &'a self,
        limit: usize,
        host: Option<&'a InvokeClient>,
    ) -> BoxFuture<'a, Result<ReplaySummary, DeadLetterError>> {
        async move {
            let mut replay = QueueReplay {
                store: self,
                sqs: self.sqs()?,
                host,
                summary: ReplaySummary::default(),
                staying: Vec::new(),
            };
            let outcome = replay.run(limit).await;
            let QueueReplay {
                summary, staying, ..
            } = replay;
            self.sqs()?.release_dead_letters(&self.name, &staying).await;
            outcome?;
            Ok(summary)
        }
        .boxed()
    }
}

impl QueueStore {
    pub(super) fn new(name: String, sources: QueueSources, sqs: Option<Sqs>) -> Self {
        Self { name, sources, sqs }
    }

    fn sqs(&self) -> Result<&Sqs, QueueError> {
        self.sqs.as_ref().ok_or(QueueError::NoEndpoint)
    }

    fn failed(&self, error: SqsError) -> QueueError {
        let queue = self.name.clone();
        QueueError::Queue { queue, error }
    }

    async fn receive(&self, max: usize) -> Result<Vec<DeadLetter>, QueueError> {
        let received = self
            .sqs()?
            .receive_dead_letters(&self.name, max, VISIBILITY);
        received.await.map_err(|error| self.failed(error))
    }

    async fn read(&self, limit: usize) -> Result<Vec<DeadLetter>, QueueError> {
        let mut dead_letters: Vec<DeadLetter> = Vec::new();
        let mut read = Ok(());
        while dead_letters.len() < limit {
            match self.receive(limit - dead_letters.len()).await {
                Ok(more) if more.is_empty() => break,
                Ok(more) => dead_letters.extend(more),
                Err(error) => {
                    read = Err(error);
                    break;
                }
            }
        }
        // released also after an error
        let released = self.sqs()?.release_dead_letters(&self.name, &dead_letters);
        if let Some(why) = released.await {
            let queue = &self.name;
            tracing::warn!(queue, "some dead letters stay hidden for a minute: {why}");
        }
        read.map(|()| dead_letters)
    }

    fn view(&self, dead: &DeadLetter) -> DeadLetterView {
        let back_to = match route(&self.sources, dead) {
            Ok(ReturnRoute::Queue(queue)) => format!("queue {queue}"),
            Ok(ReturnRoute::Source(source)) => source.to(),
            Err(why) => format!("nowhere: {why}"),
        };
        DeadLetterView {
            id: dead.id.clone(),
            sent_ms: dead.sent_ms,
            reason: reason(dead),
            back_to,
            body: dead.body.clone(),
        }
    }
}

/// A replay of the dead letters of one queue.
struct QueueReplay<'a> {
    store: &'a QueueStore,
    sqs: &'a Sqs,
    host: Option<&'a InvokeClient>,
    summary: ReplaySummary,
    staying: Vec<DeadLetter>,
}

impl QueueReplay<'_> {
    async fn run(&mut self, limit: usize) -> Result<(), QueueError> {
        // a dead letter that fails again during the replay returns to this queue: one attempt each
        let count = self.sqs.count(&self.store.name).await;
        let count = count.map_err(|error| self.store.failed(error))?;
        let mut left = limit.min(count as usize);
        while left > 0 {
            let dead_letters = self.store.receive(left).await?;
            if dead_letters.is_empty() {
                break;
            }
            left = left.saturating_sub(dead_letters.len());
            for dead in dead_letters {
                self.try_one(dead).await;
            }
        }
        Ok(())
    }

    async fn try_one(&mut self, dead: DeadLetter) {
        let records = match self.replay(&dead).await {
            Ok(records) => records,
            Err(why) => {
                self.summary.stayed.push(format!("{}: {why}", dead.id));
                self.staying.push(dead);
                return;
            }
        };
        self.summary.dead_letters += 1;
        self.summary.records += records;
        let deleted = std::slice::from_ref(&dead);
        if let Some(why) = self
            .sqs
            .delete_dead_letters(&self.store.name, deleted)
            .await
        {
            self.summary.stayed.push(format!(
                "{} is back at its source, but could not be deleted here: {why}",
                dead.id
            ));
        }
    }

    /// Returns the number of records that the source accepted.
    async fn replay(&self, dead: &DeadLetter) -> Result<u64, DeadLetterError> {
        // a later message of the same group would overtake the one that stays
        let mut staying = self.staying.iter();
        if dead.group.is_some() && staying.any(|other| other.group == dead.group) {
            return Err(QueueError::GroupStays.into());
        }
        match route(&self.store.sources, dead)? {
            ReturnRoute::Queue(queue) => {
                let sent = self.sqs.resend(&queue, dead).await;
                sent.map_err(|error| QueueError::Queue { queue, error })?;
                Ok(1)
            }
            ReturnRoute::Source(source) => source.replay(self.host).await,
        }
    }
}
