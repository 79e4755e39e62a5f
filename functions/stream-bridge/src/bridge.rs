//! A run: reads, forwards, acknowledges, until it is to stop.

use std::time::Duration;

use lambda_batch::{Backoff, Reason, Tick};
use redis_link::{Link, LinkError};
use redis_streams::{Delivery, EntryId, GroupReader};
use shared::sqs::{Queue, SqsError};
use shared::telemetry::MetricLine;
use tokio::time::Instant;

use crate::send::{Item, send};
use crate::settings::{REDIS_TIMEOUT, Settings};
use crate::stop::Stop;
use crate::translate::translate;

/// Between attempts to deal with what is in hand.
const BACKOFF: Backoff = Backoff {
    base: Duration::from_millis(100),
    cap: Duration::from_secs(5),
    max_attempts: None,
};
/// Metrics of a long run come so often.
const MEASURE_EVERY: Duration = Duration::from_secs(10);

/// The bridge: adapters and settings. One a process.
#[derive(Debug)]
pub struct Bridge {
    settings: Settings,
    link: Link,
    queue: Queue,
}

/// What a run did: its answer, its line in the log, its metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// Entries that SQS has taken.
    pub forwarded: u64,
    /// Entries set aside with a reason.
    pub parked: u64,
    /// Entries set aside because they were delivered too often.
    pub given_up: u64,
    /// Entries taken over from consumers that died.
    pub taken_over: u64,
    /// Attempts to deal with what was in hand that left something over.
    pub failed: u64,
    /// Entries given back unhandled at the end.
    pub given_back: u64,
}

/// The event is no tick.
#[derive(Debug, thiserror::Error)]
#[error("this is no tick: it has no time. A schedule without an input of its own sends one")]
pub struct NotATick;

/// What is being dealt with.
#[derive(Debug, Default)]
struct InHand {
    /// To be sent, in the order of the stream.
    items: Vec<Item>,
    /// Sent, to be acknowledged.
    sent: Vec<EntryId>,
    /// To be set aside.
    refused: Vec<(EntryId, Reason)>,
}

impl Bridge {
    /// With real adapters; all connect when first used.
    pub async fn open(settings: Settings) -> Result<Self, lambda_runtime::Error> {
        let link = Link::open(settings.redis.as_str(), REDIS_TIMEOUT)?;
        let queue = Queue::connect(&settings.queue_url, settings.sqs_timeout).await;
        Ok(Self {
            settings,
            link,
            queue,
        })
    }

    /// With a queue of one's own.
    pub fn over(settings: Settings, queue: Queue) -> Result<Self, lambda_runtime::Error> {
        let link = Link::open(settings.redis.as_str(), REDIS_TIMEOUT)?;
        Ok(Self {
            settings,
            link,
            queue,
        })
    }

    /// The run of one tick: until shortly before the process is taken away, `time` from now (half-way, should the margin be longer).
    /// It is measured by the monotonic clock, so no clock that is set or runs ahead shortens it.
    pub async fn tick(&self, tick: &Tick, time: Duration) -> Result<Report, NotATick> {
        if tick.at_ms.is_none() {
            return Err(NotATick);
        }
        let until = Instant::now() + time.saturating_sub(self.settings.stop_margin.min(time / 2));
        Ok(self.run(&Stop::at(until)).await)
    }

    /// One run, as a consumer under a name that nobody else has. Ends when `stop` comes, and not before.
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
        let mut measured = Measured::default();
        while !stop.has_come() {
            let entries = tokio::select! {
                entries = reader.next(stop.latest().min(Instant::now() + MEASURE_EVERY)) => entries,
                () = stop.come() => Vec::new(),
            };
            if !entries.is_empty() {
                self.forward(&reader, entries, stop, &mut report).await;
            }
            (report.taken_over, report.given_up) =
                (reader.counts().taken_over, reader.counts().parked);
            if measured.at.elapsed() >= MEASURE_EVERY {
                self.measure(&reader, &report, &mut measured).await;
            }
        }
        match reader.leave().await {
            Ok(given_back) => report.given_back = given_back,
            Err(error) => {
                tracing::warn!(%error, "left without a word: what is in hand is taken over later");
            }
        }
        self.measure(&reader, &report, &mut measured).await;
        tracing::info!(report = %serde_json::to_string(&report).unwrap_or_default(), "run ended");
        report
    }

    /// Deals with entries until nothing of them is in hand any more, or `stop` comes. What is left then is still pending.
    async fn forward(
        &self,
        reader: &GroupReader,
        entries: Vec<Delivery>,
        stop: &Stop,
        report: &mut Report,
    ) {
        let mut hand = self.take(entries);
        let mut attempt = 0;
        loop {
            let ended = self.attempt(reader, &mut hand, report).await;
            if hand.is_empty() {
                return;
            }
            attempt += 1;
            report.failed += 1;
            if let Err(error) = ended {
                error.log(attempt, hand.items.len());
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
            hold(reader, &mut hand).await;
        }
    }

    fn take(&self, entries: Vec<Delivery>) -> InHand {
        let mut hand = InHand::default();
        for Delivery { entry, .. } in entries {
            match translate(
                &self.settings.stream,
                &entry,
                self.settings.fifo_field.as_deref(),
            ) {
                Ok(message) => hand.items.push(Item {
                    id: entry.id,
                    message,
                }),
                Err(reason) => hand.refused.push((entry.id, reason)),
            }
        }
        hand
    }

    /// Sends, sets aside, acknowledges: whatever of that succeeds is no longer in hand.
    async fn attempt(
        &self,
        reader: &GroupReader,
        hand: &mut InHand,
        report: &mut Report,
    ) -> Result<(), Trouble> {
        let round = send(&self.queue, std::mem::take(&mut hand.items)).await;
        report.forwarded += round.accepted.len() as u64;
        hand.items = round.left;
        hand.sent.extend(round.accepted);
        hand.refused.extend(round.refused);
        reader.ack(&hand.sent).await?;
        hand.sent.clear();
        let parked = reader.park(&hand.refused).await?;
        for ((id, reason), _) in hand.refused.drain(..).zip(parked).filter(|(_, done)| *done) {
            report.parked += 1;
            tracing::error!(alarm = "stream_entry_parked", stream = %self.settings.stream, %id, %reason, "set aside");
        }
        match round.error {
            Some(error) => Err(Trouble::Queue(error)),
            None if hand.is_empty() => Ok(()),
            None => Err(Trouble::SomeNotTaken),
        }
    }

    /// What was done since the last time, and how far the group is.
    async fn measure(&self, reader: &GroupReader, report: &Report, measured: &mut Measured) {
        let since = |now: u64, then: u64| now.saturating_sub(then);
        let mut line = MetricLine::new(&self.settings.names)
            .field("stream", self.settings.stream.as_str())
            .count(
                "EntriesForwarded",
                since(report.forwarded, measured.report.forwarded),
            )
            .count(
                "EntriesParked",
                since(
                    report.parked + report.given_up,
                    measured.report.parked + measured.report.given_up,
                ),
            )
            .count(
                "EntriesTakenOver",
                since(report.taken_over, measured.report.taken_over),
            )
            .count(
                "ForwardingFailed",
                since(report.failed, measured.report.failed),
            );
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
            Err(error) => tracing::warn!(%error, "how far the group is cannot be told"),
        }
        line.emit();
        (measured.report, measured.at) = (*report, Instant::now());
    }
}

impl InHand {
    const fn is_empty(&self) -> bool {
        self.items.is_empty() && self.sent.is_empty() && self.refused.is_empty()
    }
}

/// What the last line of metrics said.
struct Measured {
    at: Instant,
    report: Report,
}

impl Default for Measured {
    fn default() -> Self {
        Self {
            at: Instant::now(),
            report: Report::default(),
        }
    }
}

/// Why something is still in hand after an attempt.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Queue(#[from] SqsError),
    #[error(transparent)]
    Redis(#[from] LinkError),
    #[error("the queue did not take all messages")]
    SomeNotTaken,
}

impl Trouble {
    fn log(&self, attempt: u32, left: usize) {
        if matches!(self, Self::Queue(SqsError::Refused(_))) {
            // This does not pass by itself.
            tracing::error!(alarm = "queue_refuses", error = %self, attempt, left, "nothing is forwarded; trying again");
        } else {
            tracing::warn!(error = %self, attempt, left, "to be tried again");
        }
    }
}

/// Tells the group that we are still at it, and lets go of what others have taken over meanwhile.
async fn hold(reader: &GroupReader, hand: &mut InHand) {
    let ids: Vec<EntryId> = hand
        .items
        .iter()
        .map(|item| item.id)
        .chain(hand.refused.iter().map(|(id, _)| *id))
        .collect();
    match reader.hold(&ids).await {
        Ok(held) => {
            let mut held = held.into_iter();
            hand.items.retain(|_| held.next().unwrap_or(true));
            hand.refused.retain(|_| held.next().unwrap_or(true));
        }
        // Redis is away: nobody else can take anything over either.
        Err(error) => tracing::warn!(%error, "cannot say that entries are still being handled"),
    }
}
