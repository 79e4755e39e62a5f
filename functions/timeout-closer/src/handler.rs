//! One tick: due entries in batches until none is due or the deadline is near, then the sweep if it is time for one.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, SystemTime};

use shared::gate::{Gate, GateError};
use shared::ingest::schedule::Tick;
use shared::message::Shard;
use shared::store::Store;
use shared::telemetry::MetricLine;

use crate::close::{self, Outcome};
use crate::settings::Settings;
use crate::sweep::{self, Swept};

/// How long the gate may take to answer.
const GATE_TIMEOUT: Duration = Duration::from_secs(3);
/// No batch is begun within so much of the deadline: what is claimed must be finished.
const MARGIN: Duration = Duration::from_secs(5);

/// The closer: adapters and settings. One a process.
pub struct Closer {
    /// Settings.
    pub settings: Settings,
    /// The gate.
    pub gate: Gate,
    /// The truth.
    pub store: Store,
    swept: Mutex<Option<SystemTime>>,
    audit: sweep::Position,
}

/// What a tick did: its answer, its line in the log, its metrics.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// Entries claimed.
    pub claimed: u64,
    /// What became of them.
    #[serde(flatten)]
    pub outcome: Outcome,
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
    /// The sweep ended early.
    #[error(transparent)]
    Sweep(#[from] sweep::SweepError),
}

impl Closer {
    /// With real adapters; all connect when first used.
    pub fn open(settings: Settings) -> Result<Self, lambda_runtime::Error> {
        let gate = Gate::connect(settings.redis.as_str(), settings.names.clone(), GATE_TIMEOUT)?;
        let store = Store::connect(settings.database.as_str(), &settings.names, settings.connections)?;
        Ok(Self { settings, gate, store, swept: Mutex::new(None), audit: sweep::Position::default() })
    }

    /// Handles one tick. `deadline`: when the process is taken away.
    pub async fn tick(&self, tick: &Tick, deadline: SystemTime) -> Result<Report, TickError> {
        if tick.at_ms.is_none() {
            return Err(TickError::NotATick);
        }
        let mut report = Report::default();
        let closed = self.close_due(deadline, &mut report).await;
        // A sweep heals what the entries cannot lead to, so it does not depend on them.
        let swept = self.sweep(deadline, &mut report).await;
        tracing::info!(report = %serde_json::to_string(&report).unwrap_or_default(), "tick");
        self.measure(&report);
        closed?;
        swept?;
        Ok(report)
    }

    async fn close_due(&self, deadline: SystemTime, report: &mut Report) -> Result<(), TickError> {
        let Settings { claim_limit, lease, topic, .. } = &self.settings;
        let shards: Vec<Shard> = Shard::all().collect();
        let queue = self.gate.timeouts();
        while left(deadline) > MARGIN {
            let claimed = queue.claim(&shards, *claim_limit, lease.as_millis() as u64).await?;
            if claimed.claims.is_empty() {
                return Ok(());
            }
            report.claimed += claimed.claims.len() as u64;
            let Outcome { closed, fenced, acknowledged, put_off, failed } =
                close::run(&self.gate, &self.store, topic, claimed.claims).await?;
            report.outcome.closed += closed;
            report.outcome.fenced += fenced;
            report.outcome.acknowledged += acknowledged;
            report.outcome.put_off += put_off;
            report.outcome.failed += failed;
        }
        report.unfinished = true;
        Ok(())
    }

    async fn sweep(&self, deadline: SystemTime, report: &mut Report) -> Result<(), TickError> {
        let now = SystemTime::now();
        let is_time = {
            let mut last = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
            let is_time = last.is_none_or(|last| now.duration_since(last).is_ok_and(|age| age >= self.settings.sweep_every));
            if is_time {
                *last = Some(now);
            }
            is_time
        };
        if is_time && left(deadline) > MARGIN {
            let until = deadline.checked_sub(MARGIN).unwrap_or(now);
            report.sweep = Some(sweep::run(&self.gate, &self.store, self.settings.sweep_limit, &self.audit, until).await?);
        }
        Ok(())
    }

    fn measure(&self, report: &Report) {
        let outcome = &report.outcome;
        let mut line = MetricLine::new(&self.settings.names)
            .count("TimeoutsClaimed", report.claimed)
            .count("OrdersClosed", outcome.closed)
            .count("OrdersFenced", outcome.fenced)
            .count("TimeoutsPutOff", outcome.put_off)
            .count("TimeoutsFailed", outcome.failed);
        if let Some(swept) = &report.sweep {
            line = line
                .count("SweepClosed", swept.closed)
                .count("SweepMatchedPayments", swept.matched)
                .count("SweepSettled", swept.settled)
                .count("SweepUnsettled", swept.unsettled)
                .count("SweepRearmed", swept.rearmed)
                .count("SweepMended", swept.mended)
                .count("ParkedRecords", swept.parked)
                .count("OverdueOrders", swept.overdue);
        }
        line.emit();
    }
}

fn left(deadline: SystemTime) -> Duration {
    deadline.duration_since(SystemTime::now()).unwrap_or_default()
}
