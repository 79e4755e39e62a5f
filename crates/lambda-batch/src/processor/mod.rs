//! The batch processor: one handler call per record, in order where the source promises order.

mod parker;
#[cfg(test)]
mod tests;

use std::fmt::Display;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::FutureExt as _;
use futures::stream::{FuturesUnordered, StreamExt as _};
use tracing::Instrument as _;

use crate::{BatchResponse, EventBatch, Ledger, Outcome, Reason};

pub use parker::{NoParker, NotParked, Parker};

/// Calls a handler for every record of a batch and builds the partial batch response.
///
/// | source | order | concurrency |
/// |---|---|---|
/// | Kafka | records of a partition one after the other | partitions |
/// | SQS FIFO queue | messages of a group one after the other | message groups |
/// | SQS standard queue | none | messages |
///
/// A sequence (partition or message group) stops at its first record that is neither done nor
/// parked: the rest of it is not started and is reported as failed, so that order is kept when
/// it is delivered again. Other sequences continue.
///
/// The handler is an async function of the record: [`KafkaRecord`](crate::KafkaRecord) or
/// `&`[`SqsMessage`](crate::SqsMessage). It returns an [`Outcome`] or a
/// `Result<(), `[`HandlerError`](crate::HandlerError)`>`. A panic of the handler counts as
/// [`Outcome::Retry`] of its record (not in a program built with `panic = "abort"`).
///
/// All handler calls run on the task that polls [`Self::process`]. A handler that blocks its
/// thread delays the others: move such work to `tokio::task::spawn_blocking`.
///
/// `lambda_runtime::run_concurrent` requires a `Send` future. The future of [`Self::process`] is
/// one if the handler owns what it uses: an async fn, or an `async move` closure over an `Arc`. For
/// a closure that borrows, the compiler cannot prove it.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use lambda_batch::{BatchProcessor, Outcome, SqsBatch, SqsMessage};
///
/// let processor = BatchProcessor::new(async |message: &SqsMessage| match message.id.as_str() {
///     "b" => Outcome::retry("the printer is out of paper"),
///     _ => Outcome::Done,
/// })
/// .concurrency(4);
///
/// let event = r#"{"Records": [{"messageId": "a", "body": ""}, {"messageId": "b", "body": ""}]}"#;
/// let batch: SqsBatch = serde_json::from_str(event)?;
/// let deadline = SystemTime::now() + Duration::from_secs(30);
/// let response = futures::executor::block_on(processor.process(&batch, deadline));
/// assert_eq!(response.items.len(), 1);
/// assert_eq!(response.items[0].identifier, "b");
/// # Ok::<(), serde_json::Error>(())
/// ```
pub struct BatchProcessor<H, P = NoParker> {
    handler: H,
    parker: P,
    concurrency: usize,
    margin: Duration,
    clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
}

impl<H> BatchProcessor<H> {
    /// A processor without a parker that handles one sequence at a time and stops one second
    /// before the deadline.
    pub fn new(handler: H) -> Self {
        Self {
            handler,
            parker: NoParker,
            concurrency: 1,
            margin: Duration::from_secs(1),
            clock: Arc::new(SystemTime::now),
        }
    }
}

impl<H, P> BatchProcessor<H, P> {
    /// How many sequences (partitions, message groups or single messages) are handled at the same
    /// time. At least 1.
    #[must_use]
    pub fn concurrency(mut self, max: usize) -> Self {
        self.concurrency = max.max(1);
        self
    }

    /// How long before the deadline no further record is started. It must cover the slowest handler
    /// call and the response.
    #[must_use]
    pub fn margin(mut self, margin: Duration) -> Self {
        self.margin = margin;
        self
    }

    /// Where records go whose outcome is [`Outcome::Park`].
    #[must_use]
    pub fn parker<Q>(self, parker: Q) -> BatchProcessor<H, Q> {
        BatchProcessor {
            handler: self.handler,
            parker,
            concurrency: self.concurrency,
            margin: self.margin,
            clock: self.clock,
        }
    }

    /// Replaces the system clock, with which deadlines are compared.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Handles the batch and returns what the event source mapping has to deliver again.
    ///
    /// `deadline` is the end of the invocation (`event.context.deadline()`). Records that could
    /// not be started in time are reported as failed.
    pub async fn process<B, T>(
        &self,
        batch: &B,
        deadline: SystemTime,
    ) -> BatchResponse<B::Identifier>
    where
        B: EventBatch,
        H: AsyncFn(B::Record<'_>) -> T,
        T: Into<Outcome>,
        P: Parker<B>,
    {
        self.ledger(batch, deadline).await.response()
    }

    /// As [`Self::process`], and returns the outcome of every record.
    pub async fn ledger<'b, B, T>(&self, batch: &'b B, deadline: SystemTime) -> Ledger<'b, B>
    where
        B: EventBatch,
        H: AsyncFn(B::Record<'_>) -> T,
        T: Into<Outcome>,
        P: Parker<B>,
    {
        let mut ledger = Ledger::new(batch);
        let mut waiting = batch.sequences().into_iter();
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < self.concurrency
                && let Some(sequence) = waiting.next()
            {
                running.push(self.sequence(batch, sequence, deadline));
            }
            let Some(outcomes) = running.next().await else {
                break;
            };
            for (index, outcome) in outcomes {
                let parked = matches!(outcome, Outcome::Park(_));
                ledger.note(index, outcome);
                if parked {
                    ledger.parked(index);
                }
            }
        }
        let failed = ledger.counts().failed;
        if failed > 0 {
            tracing::warn!(
                failed,
                records = batch.size(),
                "records are reported as failed"
            );
        }
        ledger
    }

    /// Handles records in order until one fails or the time is up. In the result, `Park` means that
    /// the record is parked. Records without an outcome count as failed.
    async fn sequence<B, T>(
        &self,
        batch: &B,
        indices: Vec<usize>,
        deadline: SystemTime,
    ) -> Vec<(usize, Outcome)>
    where
        B: EventBatch,
        H: AsyncFn(B::Record<'_>) -> T,
        T: Into<Outcome>,
        P: Parker<B>,
    {
        let mut outcomes = Vec::with_capacity(indices.len());
        for index in indices {
            let left = deadline.duration_since((self.clock)()).unwrap_or_default();
            if left <= self.margin {
                break;
            }
            let outcome = self
                .record(batch, index)
                .instrument(batch.span(index))
                .await;
            let failed = matches!(outcome, Outcome::Retry(_));
            outcomes.push((index, outcome));
            if failed {
                break;
            }
        }
        outcomes
    }

    /// Handles one record and parks it if the handler returns `Park`.
    async fn record<B, T>(&self, batch: &B, index: usize) -> Outcome
    where
        B: EventBatch,
        H: AsyncFn(B::Record<'_>) -> T,
        T: Into<Outcome>,
        P: Parker<B>,
    {
        let handled = async {
            let outcome = (self.handler)(batch.record(index)).await.into();
            if let Outcome::Park(reason) = &outcome
                && let Err(error) = self.parker.park(batch, index, reason).await
            {
                return Outcome::Retry(not_parked(reason, &error));
            }
            outcome
        };
        let outcome = match AssertUnwindSafe(handled).catch_unwind().await {
            Ok(outcome) => outcome,
            Err(panic) => Outcome::retry(format_args!("the handler panicked: {}", text(&*panic))),
        };
        match &outcome {
            Outcome::Done => {}
            Outcome::Retry(reason) => tracing::warn!(%reason, "the record is delivered again"),
            Outcome::Park(reason) => tracing::warn!(%reason, "the record is parked"),
        }
        outcome
    }
}

fn not_parked(reason: &Reason, error: &impl Display) -> Reason {
    Reason::new(format_args!("{reason}; not parked: {error}"))
}

/// The message of a panic.
fn text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
