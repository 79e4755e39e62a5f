//! One batch: for each program the floor is raised, then every instance is notified.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use lambda_batch::{BatchProcessor, BatchResponse, HandlerError, SqsBatch, SqsMessage};
use shared::access::Access;
use shared::cache::{AnnounceError, Announcer, Raised, SharedCache};
use shared::message::ProgramId;
use shared::telemetry::MetricLine;

use crate::changes::{self, StreamedChange};
use crate::settings::Settings;

/// The cache-invalidator: adapters and settings. One per process.
#[derive(Debug)]
pub struct Invalidator {
    settings: Settings,
    shared: SharedCache,
    evicted: Announcer,
}

/// The changes of a batch, and what has been done about them so far.
#[derive(Debug, Default)]
struct Progress {
    /// Programs that are not evicted yet, each with its greatest version.
    open: BTreeMap<ProgramId, StreamedChange>,
    raised: u64,
    dropped: u64,
    malformed: usize,
    /// From the oldest entry in its stream to the notification of its eviction.
    longest_ms: u64,
    /// Set once Redis has failed: the rest of the batch fails without another attempt.
    unavailable: Option<AnnounceError>,
}

impl Invalidator {
    /// With real adapters; Redis is connected to when first used.
    pub fn open(settings: Settings, access: &Access) -> Result<Arc<Self>, lambda_runtime::Error> {
        let streams = &settings.streams;
        let link = access.cache(&streams.redis, streams.timeout)?;
        let shared = SharedCache::new(link.clone(), settings.names.clone());
        let evicted = settings.streams.evicted_announcer(link, &settings.names);
        Ok(Arc::new(Self {
            settings,
            shared,
            evicted,
        }))
    }

    /// Handles a batch and returns the messages to deliver again. For all others, no cache holds
    /// an older version, and every instance is notified.
    pub async fn handle(
        self: &Arc<Self>,
        batch: &SqsBatch,
        deadline: SystemTime,
    ) -> BatchResponse<String> {
        let began = Instant::now();
        let open = changes::greatest(batch, &self.settings.streams.changed);
        let programs = open.len() as u64;
        let progress = Arc::new(Mutex::new(Progress {
            open,
            ..Progress::default()
        }));
        // The handler owns what it uses: with borrowed values the future would not be `Send`.
        let (invalidator, of_batch) = (self.clone(), progress.clone());
        let message =
            async move |message: &SqsMessage| invalidator.message(message, &of_batch).await;
        let ledger = BatchProcessor::new(message).ledger(batch, deadline).await;
        let failed = ledger.counts().failed;
        let progress = lock(&progress);
        MetricLine::new(&self.settings.names)
            .count("ProgramsChanged", programs)
            .count("FloorsRaised", progress.raised)
            .count("BodiesDropped", progress.dropped)
            .count("ChangesMalformed", progress.malformed as u64)
            .count("ChangesToRetry", (failed - progress.malformed) as u64)
            .milliseconds("ChangeToEvictedTime", progress.longest_ms as f64)
            .milliseconds("InvalidationTime", began.elapsed().as_secs_f64() * 1e3)
            .emit();
        ledger.response()
    }

    /// A message is done when the greatest version of its program in this batch is evicted.
    async fn message(
        &self,
        message: &SqsMessage,
        progress: &Mutex<Progress>,
    ) -> Result<(), HandlerError> {
        let read = changes::read(message, &self.settings.streams.changed);
        let StreamedChange {
            change, added_ms, ..
        } = read.map_err(|reason| {
            tracing::error!(
                alarm = "message_malformed",
                message = message.id,
                receives = message.receive_count,
                %reason,
                "not a change of a program; the queue moves it to its dead-letter queue after its \
                 last receive"
            );
            lock(progress).malformed += 1;
            HandlerError::Park(reason)
        })?;
        if let Some(error) = &lock(progress).unavailable {
            return Err(HandlerError::retry(error));
        }
        let open = lock(progress).open.remove(&change.id);
        if let Some(open) = open {
            let evicted = self.evict(&open).await;
            let mut progress = lock(progress);
            match evicted {
                Ok(raised) => {
                    progress.raised += u64::from(raised.rose);
                    progress.dropped += u64::from(raised.dropped);
                }
                Err(error) => {
                    let retry = HandlerError::retry(&error);
                    progress.unavailable = Some(error);
                    return Err(retry);
                }
            }
        }
        let now_ms = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |now| now.as_millis() as u64);
        let mut progress = lock(progress);
        progress.longest_ms = progress.longest_ms.max(now_ms.saturating_sub(added_ms));
        Ok(())
    }

    /// The floor first: an instance that is notified reads it next. The notification is sent even
    /// if the floor stood already: the process that raised it may have died before sending it.
    async fn evict(&self, found: &StreamedChange) -> Result<Raised, AnnounceError> {
        let change = found.change;
        let raised = self.shared.raise(change).await?;
        self.evicted
            .announce(change, found.trace.as_deref())
            .await?;
        let Raised { rose, dropped } = raised;
        tracing::info!(program = %change.id, version = %change.version, rose, dropped, "evicted");
        Ok(raised)
    }
}

fn lock(progress: &Mutex<Progress>) -> MutexGuard<'_, Progress> {
    progress.lock().unwrap_or_else(PoisonError::into_inner)
}
