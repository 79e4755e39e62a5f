//! A run: reads, forwards and acknowledges entries until it is stopped.

use std::time::Duration;

use lambda_batch::{Backoff, Reason, Tick};
use redis_link::{Link, LinkError};
use redis_streams::{Delivery, EntryId, GroupReader};
use shared::access::Access;
use shared::sqs::{Queue, SqsError};
use shared::telemetry::MetricLine;
use tokio::time::Instant;

use crate::send::{Item, send};
use crate::settings::{REDIS_TIMEOUT, Settings};
use crate::stop::Stop;
use crate::translate::translate;

/// Pauses between attempts to forward a batch.
const BACKOFF: Backoff = Backoff {
    base: Duration::from_millis(100),
    cap: Duration::from_secs(5),
    max_attempts: None,
};
/// How often a run writes metrics.
const MEASURE_EVERY: Duration = Duration::from_secs(10);

/// The bridge of one process: adapters and settings.
#[derive(Debug)]
pub struct Bridge {
    settings: Settings,
    link: Link,
    queue: Queue,
}

/// The result of a run: response, log line and metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// Entries accepted by SQS.
    pub forwarded: u64,
    /// Entries parked with a reason.
    pub parked: u64,
    /// Entries parked because they were delivered too often.
    pub given_up: u64,
    /// Entries taken over from dead consumers.
    pub taken_over: u64,
    /// Attempts that did not complete their batch.
    pub failed: u64,
    /// Entries returned unhandled at the end.
    pub given_back: u64,
}

/// The event is not a tick.
#[derive(Debug, thiserror::Error)]
#[error("this is not a tick: it has no time. A schedule without its own input sends one")]
pub struct NotATick;

/// Entries that are not acknowledged yet.
#[derive(Debug, Default)]
struct Batch {
    /// To be sent, in the order of the stream.
    items: Vec<Item>,
    /// Sent, to be acknowledged.
    sent: Vec<EntryId>,
    /// To be parked.
    refused: Vec<(EntryId, Reason)>,
}

impl Bridge {
    /// A bridge to the queue in the settings. Adapters connect on first use.
    pub async fn open(settings: Settings, access: &Access) -> Result<Self, lambda_runtime::Error> {
        let queue = Queue::connect(&settings.queue_url, &settings.sqs, settings.sqs_timeout).await;
        Self::over(settings, access, queue)
    }

    /// A bridge to a given queue.
    pub fn over(
        settings: Settings,
        access: &Access,
        queue: Queue,
    ) -> Result<Self, lambda_runtime::Error> {
        let link = access.cache(&settings.redis, REDIS_TIMEOUT)?;
        Ok(Self {
            settings,
            link,
            queue,
        })
    }

    /// Runs until the stop margin before `time` has passed (half of it if the margin is longer), by
    /// the monotonic clock.
    pub async fn tick(&self, tick: &Tick, time: Duration) -> Result<Report, NotATick> {
        if tick.at_ms.is_none() {
            return Err(NotATick);
        }
        let until = Instant::now() + time.saturating_sub(self.settings.stop_margin.min(time / 2));
        Ok(self.run(&Stop::at(until)).await)
    }

    /// Runs as a consumer with a unique name until `stop`.
    pub async fn run(&self, stop: &Stop) -> Report {
        let Settings {
            names,
            stream,
            group,
            reading,
            ..
        } = &self.settings;
        let consumer = format!("{:032x}", rand::random::<u128>());
        let mut reader = GroupReader::open(
            self.link.clone(),
            &names.stream(stream),
            &names.group(group),
            &consumer,
            reading.clone(),
        );
        let mut report = Report::default();
        let mut measured = report;
        let mut measured_at = Instant::now();
        while !stop.has_come() {
            let entries = tokio::select! {
                entries = reader.next(stop.latest().min(Instant::now() + MEASURE_EVERY)) => entries,
                () = stop.come() => Vec::new(),
            };
            if !entries.is_empty() {
                self.forward(&reader, entries, stop, &mut report).await;
            }
            let counts = reader.counts();
            report.taken_over = counts.taken_over;
            report.given_up = counts.parked;
            if measured_at.elapsed() >= MEASURE_EVERY {
                self.measure(&reader, &report, &measured).await;
                measured = report;
                measured_at = Instant::now();
            }
        }
        match reader.leave().await {
            Ok(given_back) => report.given_back = given_back,
            Err(error) => {
                tracing::warn!(
                    %error,
                    "leaving the group failed; another consumer takes over the entries later"
                );
            }
        }
        self.measure(&reader, &report, &measured).await;
        tracing::info!(report = %serde_json::to_string(&report).unwrap_or_default(), "run ended");
        report
    }

    /// Forwards entries until all are acknowledged, or until `stop`. The rest stays pending.
    async fn forward(
        &self,
        reader: &GroupReader,
        entries: Vec<Delivery>,
        stop: &Stop,
        report: &mut Report,
    ) {
        let mut batch = self.translate(entries);
        let mut attempt = 0;
        loop {
            let result = self.attempt(reader, &mut batch, report).await;
            if batch.is_empty() {
                return;
            }
            attempt += 1;
            report.failed += 1;
            if let Err(error) = result {
                error.log(attempt, batch.items.len());
            }
            let pause = BACKOFF
                .delay(attempt, rand::random())
                .unwrap_or(BACKOFF.cap);
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.come() => {}
            }
            if stop.has_come() {
                return;
            }
            hold(reader, &mut batch).await;
        }
    }

    fn translate(&self, entries: Vec<Delivery>) -> Batch {
        let mut batch = Batch::default();
        let fifo_field = self.settings.fifo_field.as_deref();
        for Delivery { entry, .. } in entries {
            let id = entry.id;
            match translate(&self.settings.stream, &entry, fifo_field) {
                Ok(message) => batch.items.push(Item { id, message }),
                Err(reason) => batch.refused.push((id, reason)),
            }
        }
        batch
    }

    /// Sends, acknowledges and parks; what succeeds is removed from the batch.
    async fn attempt(
        &self,
        reader: &GroupReader,
        batch: &mut Batch,
        report: &mut Report,
    ) -> Result<(), ForwardError> {
        let sent = send(&self.queue, std::mem::take(&mut batch.items)).await;
        report.forwarded += sent.accepted.len() as u64;
        batch.items = sent.left;
        batch.sent.extend(sent.accepted);
        batch.refused.extend(sent.refused);
        reader.ack(&batch.sent).await?;
        batch.sent.clear();
        let parked = reader.park(&batch.refused).await?;
        for ((id, reason), done) in batch.refused.drain(..).zip(parked) {
            if done {
                report.parked += 1;
                tracing::error!(
                    alarm = "stream_entry_parked",
                    stream = %self.settings.stream,
                    %id,
                    %reason,
                    "an entry is parked"
                );
            }
        }
        match sent.error {
            Some(error) => Err(ForwardError::Queue(error)),
            None if batch.is_empty() => Ok(()),
            None => Err(ForwardError::Incomplete),
        }
    }

    /// Writes metrics: the counts since the `last` line, and the progress of the group.
    async fn measure(&self, reader: &GroupReader, report: &Report, last: &Report) {
        let since = |count: fn(&Report) -> u64| count(report).saturating_sub(count(last));
        let mut line = MetricLine::new(&self.settings.names)
            .field("stream", self.settings.stream.as_str())
            .count("EntriesForwarded", since(|r| r.forwarded))
            .count("EntriesParked", since(|r| r.parked + r.given_up))
            .count("EntriesTakenOver", since(|r| r.taken_over))
            .count("ForwardingFailed", since(|r| r.failed));
        match reader.state().await {
            Ok(state) => {
                line = line.count("StreamPending", state.pending);
                if let Some(lag) = state.lag {
                    line = line.count("StreamLag", lag);
                }
                if let Some(age) = state.oldest_pending {
                    line = line.milliseconds("StreamOldestPending", age.as_secs_f64() * 1e3);
                }
            }
            Err(error) => tracing::warn!(%error, "the progress of the group cannot be read"),
        }
        line.emit();
    }
}

impl Batch {
    const fn is_empty(&self) -> bool {
        self.items.is_empty() && self.sent.is_empty() && self.refused.is_empty()
    }
}

/// Why an attempt did not complete its batch.
#[derive(Debug, thiserror::Error)]
enum ForwardError {
    #[error(transparent)]
    Queue(#[from] SqsError),
    #[error(transparent)]
    Redis(#[from] LinkError),
    #[error("SQS did not accept all messages")]
    Incomplete,
}

impl ForwardError {
    fn log(&self, attempt: u32, left: usize) {
        if matches!(self, Self::Queue(SqsError::Refused(_))) {
            tracing::error!(
                alarm = "queue_refuses",
                error = %self,
                attempt,
                left,
                "SQS refuses requests until an operator repairs the cause; trying again"
            );
        } else {
            tracing::warn!(
                error = %self,
                attempt,
                left,
                "entries were not forwarded; trying again"
            );
        }
    }
}

/// Restarts the idle time of the batch, and drops entries that others have taken over.
async fn hold(reader: &GroupReader, batch: &mut Batch) {
    let ids: Vec<EntryId> = batch
        .items
        .iter()
        .map(|item| item.id)
        .chain(batch.refused.iter().map(|(id, _)| *id))
        .collect();
    match reader.hold(&ids).await {
        Ok(held) => {
            let mut held = held.into_iter();
            batch.items.retain(|_| held.next().unwrap_or(true));
            batch.refused.retain(|_| held.next().unwrap_or(true));
        }
        // Without Redis no other consumer can take entries over either.
        Err(error) => tracing::warn!(%error, "the idle time of entries was not restarted"),
    }
}
