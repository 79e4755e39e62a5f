//! One tick: due entries in batches until none is due or the deadline is near, then gates that are being filled, then the sweep if it is
//! time for one.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant, SystemTime};

use delay_queue::Shard;
use lambda_batch::Tick;
use shared::cache::Announcer;
use shared::gate::{Gate, GateError};
use shared::refill::RefillError;
use shared::store::Store;
use shared::telemetry::MetricLine;
use shared::telemetry::traces::Tracer;

use crate::close::{self, Outcome};
use crate::fill::{self, Fillings};
use crate::settings::Settings;
use crate::sweep::{self, Swept};

/// How long the gate may take to answer.
const GATE_TIMEOUT: Duration = Duration::from_secs(3);
/// Nothing is begun within so much of the deadline, or a quarter of the tick if that is less: what is begun must be finished.
const MARGIN: Duration = Duration::from_secs(5);

/// The closer: adapters and settings. One a process.
pub struct Closer {
    /// Settings.
    pub settings: Settings,
    /// The gate.
    pub gate: Gate,
    /// The truth.
    pub store: Store,
    /// Where changes of programs are told.
    pub changes: Announcer,
    /// Where spans go.
    pub tracer: Tracer,
    swept: Mutex<Option<SystemTime>>,
}

/// What a tick did: its answer, its line in the log, its metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// Entries claimed.
    pub claimed: u64,
    /// What became of them.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Gates that are being filled.
    pub fillings: Fillings,
    /// What the sweep did, if it was time for one.
    pub sweep: Option<Swept>,
    /// Entries were due still when time ran out.
    pub unfinished: bool,
}

/// Why a tick failed. What it did is done; the next tick goes on.
#[derive(Debug, thiserror::Error)]
pub enum TickError {
    /// The event is no tick.
    #[error("this is no tick: it has no time. A schedule without an input of its own sends one")]
    NotATick,
    /// A server is away.
    #[error(transparent)]
    Batch(#[from] close::RunError),
    /// Redis is away.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// A gate could not be filled further.
    #[error(transparent)]
    Refill(#[from] RefillError),
    /// The sweep ended early.
    #[error(transparent)]
    Sweep(#[from] sweep::SweepError),
}

impl Closer {
    /// With real adapters; all connect when first used.
    pub fn open(settings: Settings) -> Result<Self, lambda_runtime::Error> {
        let gate = Gate::connect(
            settings.redis.as_str(),
            settings.names.clone(),
            GATE_TIMEOUT,
        )?;
        let store = Store::connect(
            settings.database.as_str(),
            &settings.names,
            settings.connections,
        )?;
        let changes = settings
            .streams
            .tell_changed(settings.streams.link()?, &settings.names);
        let tracer = Tracer::start(settings.traces.as_ref(), &settings.names, Duration::ZERO);
        Ok(Self {
            settings,
            gate,
            store,
            changes,
            tracer,
            swept: Mutex::new(None),
        })
    }

    /// Handles one tick. `time`: how long from now until the process is taken away. It is measured by the monotonic clock, so no
    /// clock that is set or runs ahead shortens it.
    pub async fn tick(&self, tick: &Tick, time: Duration) -> Result<Report, TickError> {
        if tick.at_ms.is_none() {
            return Err(TickError::NotATick);
        }
        let mut report = Report::default();
        let began = Instant::now();
        let until = began + time.saturating_sub(MARGIN.min(time / 4));
        // A sweep heals what the entries cannot lead to, so it does not depend on them; nor may many of them take all its time.
        let is_time = self.is_time_to_sweep(SystemTime::now());
        let closed = self
            .close_due(if is_time { began + time / 2 } else { until }, &mut report)
            .await;
        let filled = self.fill(until, &mut report).await;
        let swept = if is_time {
            self.sweep(until, &mut report).await
        } else {
            Ok(())
        };
        tracing::info!(report = %serde_json::to_string(&report).unwrap_or_default(), "tick");
        self.measure(&report);
        self.tracer.settle().await;
        closed?;
        filled?;
        swept?;
        Ok(report)
    }

    /// For at most half of the time that is left: the sweep needs some, too.
    async fn fill(&self, until: Instant, report: &mut Report) -> Result<(), TickError> {
        let now = Instant::now();
        let until = now + until.saturating_duration_since(now) / 2;
        let late = || Instant::now() >= until;
        Ok(fill::run(
            &self.gate,
            &self.store,
            &self.settings.topic,
            &late,
            &mut report.fillings,
        )
        .await?)
    }

    /// What was due when the tick began. What becomes due meanwhile, entries put off by this tick among it, is the next one's.
    async fn close_due(&self, until: Instant, report: &mut Report) -> Result<(), TickError> {
        let Settings {
            claim_limit,
            lease,
            topic,
            ..
        } = &self.settings;
        let shards: Vec<Shard> = Shard::all().collect();
        let queue = self.gate.timeouts();
        let mut began_ms = None;
        while Instant::now() < until {
            let claimed = queue
                .claim(&shards, *claim_limit, lease.as_millis() as u64)
                .await?;
            let began_ms = *began_ms.get_or_insert(claimed.now_ms);
            let is_last = claimed.claims.iter().all(|claim| claim.due_ms > began_ms);
            report.claimed += claimed.claims.len() as u64;
            let Outcome {
                closed,
                fenced,
                acknowledged,
                put_off,
                failed,
            } = close::run(&self.gate, &self.store, &self.tracer, topic, claimed.claims).await?;
            report.outcome.closed += closed;
            report.outcome.fenced += fenced;
            report.outcome.acknowledged += acknowledged;
            report.outcome.put_off += put_off;
            report.outcome.failed += failed;
            if is_last {
                return Ok(());
            }
        }
        report.unfinished = true;
        Ok(())
    }

    fn is_time_to_sweep(&self, now: SystemTime) -> bool {
        let mut last = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        // The wall clock, since the other one stands still while Lambda freezes the process. One that was set back must not put sweeps off.
        let is_time = last.is_none_or(|last| {
            now.duration_since(last)
                .map_or(true, |age| age >= self.settings.sweep_every)
        });
        if is_time {
            *last = Some(now);
        }
        is_time
    }

    async fn sweep(&self, until: Instant, report: &mut Report) -> Result<(), TickError> {
        let mut swept = Swept::default();
        let Settings {
            sweep_limit,
            publish_limit,
            ..
        } = self.settings;
        // What one of them cannot do is no reason to leave the other undone.
        let published =
            sweep::publish(&self.store, &self.changes, publish_limit, until, &mut swept).await;
        let ended = sweep::run(
            &self.gate,
            &self.store,
            &self.tracer,
            sweep_limit,
            until,
            &mut swept,
        )
        .await;
        report.sweep = Some(swept);
        Ok(published.and(ended)?)
    }

    fn measure(&self, report: &Report) {
        let outcome = &report.outcome;
        let mut line = MetricLine::new(&self.settings.names)
            .count("TimeoutsClaimed", report.claimed)
            .count("OrdersClosed", outcome.closed)
            .count("OrdersFenced", outcome.fenced)
            .count("TimeoutsPutOff", outcome.put_off)
            .count("TimeoutsFailed", outcome.failed)
            .count("GatesFilling", report.fillings.found)
            .count("GatesOpened", report.fillings.opened);
        if let Some(swept) = &report.sweep {
            line = line
                .count("SweepClosed", swept.closed)
                .count("SweepMatchedPayments", swept.matched)
                .count("SweepSettled", swept.settled)
                .count("SweepUnsettled", swept.unsettled)
                .count("SweepRearmed", swept.rearmed)
                .count("SweepMended", swept.mended)
                .count("SweepRecounted", swept.recounted)
                .count("SweepTickets", swept.tickets)
                .count("SweepPublished", swept.published)
                .count("SweepUnpublished", swept.unpublished)
                .count("ParkedRecords", swept.parked)
                .count("OverdueOrders", swept.overdue)
                .count("UnmatchedPayments", swept.unmatched)
                .count("PaymentsToRefund", swept.to_refund);
        }
        line.emit();
    }
}
