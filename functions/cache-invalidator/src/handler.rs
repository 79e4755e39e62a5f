//! One batch: read, floors raised, instances told, answered for.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use lambda_batch::{BatchResponse, Ledger, Outcome, Reason, SqsBatch};
use shared::cache::{AnnounceError, Announcer, Raised, SharedCache};
use shared::telemetry::MetricLine;

use crate::changes::{self, Work};
use crate::settings::Settings;

/// The cache-invalidator: adapters and settings. One a process.
#[derive(Debug)]
pub struct Invalidator {
    settings: Settings,
    shared: SharedCache,
    evicted: Announcer,
}

/// What a batch came to.
#[derive(Debug, Default)]
struct Tally {
    programs: u64,
    raised: u64,
    dropped: u64,
    malformed: u64,
    failed: u64,
    /// From the oldest entry in its stream to the word of its eviction.
    longest_ms: u64,
}

impl Invalidator {
    /// With real adapters; Redis is connected to when first used.
    pub fn open(settings: Settings) -> Result<Self, lambda_runtime::Error> {
        let link = settings.streams.link()?;
        let shared = SharedCache::new(link.clone(), settings.names.clone());
        let evicted = settings.streams.evicted_announcer(link, &settings.names);
        Ok(Self {
            settings,
            shared,
            evicted,
        })
    }

    /// Handles a batch and says which messages are to come again. For all others the caches hold nothing older, and everybody knows.
    pub async fn handle(&self, batch: &SqsBatch) -> BatchResponse<String> {
        let began = Instant::now();
        let (work, bad) = changes::read(batch, &self.settings.streams.changed);
        let mut ledger = Ledger::new(batch);
        let mut tally = Tally {
            programs: work.len() as u64,
            malformed: bad.len() as u64,
            ..Tally::default()
        };
        for (index, reason) in bad {
            let message = &batch.messages[index];
            tracing::error!(
                alarm = "message_malformed",
                message = message.id,
                receives = message.receive_count,
                %reason,
                "no change of a program; the queue sets it aside after its last receive"
            );
            // Never said to be parked here: it stays a failure, so that the queue parks it.
            ledger.note(index, Outcome::Park(reason));
        }
        let mut away = None;
        for work in &work {
            // A Redis that does not answer is asked once, not once a program.
            let result = match &away {
                None => self.evict(work, &mut tally).await,
                Some(error) => Err(AnnounceError::clone(error)),
            };
            let outcome = match &result {
                Ok(()) => Outcome::Done,
                Err(error) => Outcome::Retry(Reason::new(error)),
            };
            work.messages
                .iter()
                .for_each(|index| ledger.note(*index, outcome.clone()));
            if let Err(error) = result {
                tally.failed += work.messages.len() as u64;
                away.get_or_insert(error);
            }
        }
        if let Some(error) = away {
            tracing::warn!(%error, messages = tally.failed, "to be delivered again");
        }
        self.measure(&tally, began);
        ledger.response()
    }

    /// The floor first: an instance that is told looks there next.
    async fn evict(&self, work: &Work, tally: &mut Tally) -> Result<(), AnnounceError> {
        let Raised { rose, dropped } = self.shared.raise(work.change).await?;
        tally.raised += u64::from(rose);
        tally.dropped += u64::from(dropped);
        // Told also when the floor stood already: whoever raised it may have died before this line.
        self.evicted
            .announce(work.change, work.trace.as_deref())
            .await?;
        let now_ms = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |now| now.as_millis() as u64);
        tally.longest_ms = tally.longest_ms.max(now_ms.saturating_sub(work.since_ms));
        tracing::info!(program = %work.change.id, version = %work.change.version, rose, dropped, "evicted");
        Ok(())
    }

    fn measure(&self, tally: &Tally, began: Instant) {
        MetricLine::new(&self.settings.names)
            .count("ProgramsChanged", tally.programs)
            .count("FloorsRaised", tally.raised)
            .count("BodiesDropped", tally.dropped)
            .count("ChangesMalformed", tally.malformed)
            .count("ChangesToRetry", tally.failed)
            .milliseconds("ChangeToEvictedTime", tally.longest_ms as f64)
            .milliseconds("InvalidationTime", began.elapsed().as_secs_f64() * 1e3)
            .emit();
    }
}
