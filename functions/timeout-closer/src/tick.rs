//! One tick: the due timeout entries, then the gates that are being filled, then a sweep if one is
//! due.

use std::sync::PoisonError;
use std::time::{Duration, Instant, SystemTime};

use lambda_batch::Tick;

use crate::closer::Closer;
use crate::jobs::{JobError, Sweep, due_order_closer, refill_gates};
use crate::report::{SweepReport, TickReport};

/// No work starts within this time of the deadline, or within a quarter of the tick if that is
/// less: work that has started must end before the deadline.
const MARGIN: Duration = Duration::from_secs(5);

/// Why a tick failed. Its effects stay; the next tick continues.
#[derive(Debug, thiserror::Error)]
pub enum TickError {
    /// The event is not a tick.
    #[error("this is no tick: it has no time. A schedule without an input of its own sends one")]
    NotATick,
    /// A job failed. The first error of the tick.
    #[error(transparent)]
    Job(#[from] JobError),
}

impl Closer {
    /// Handles one tick. `time` is how long the process may still run. The monotonic clock measures
    /// it, so a wall clock that is wrong does not shorten it.
    pub async fn tick(&self, tick: &Tick, time: Duration) -> Result<TickReport, TickError> {
        if tick.at_ms.is_none() {
            return Err(TickError::NotATick);
        }
        let mut report = TickReport::default();
        let began = Instant::now();
        let until = began + time.saturating_sub(MARGIN.min(time / 4));
        let is_sweep = self.is_time_to_sweep(SystemTime::now());
        // However many entries are due, half of the tick is left for the sweep.
        let close_until = if is_sweep { began + time / 2 } else { until };
        let closed = due_order_closer::run(self, close_until, &mut report).await;
        let filled = self.refill_gates(until, &mut report).await;
        // The sweep repairs what the entries do not lead to, so it runs after a failure as well.
        let mut swept = Ok(());
        if is_sweep {
            let mut sweep = Sweep {
                closer: self,
                until,
                report: report.sweep.insert(SweepReport::default()),
            };
            swept = sweep.run().await;
        }
        report.emit(&self.settings.names);
        self.tracer.flush().await;
        closed.and(filled).and(swept)?;
        Ok(report)
    }

    /// Takes at most half of the time that is left; the other half is for the sweep.
    async fn refill_gates(&self, until: Instant, report: &mut TickReport) -> Result<(), JobError> {
        let now = Instant::now();
        let until = now + until.saturating_duration_since(now) / 2;
        refill_gates(self, &|| Instant::now() >= until, &mut report.fillings).await
    }

    /// Measured by the wall clock, because the monotonic clock stands still while Lambda freezes
    /// the process. A wall clock that was set back does not delay the sweep.
    fn is_time_to_sweep(&self, now: SystemTime) -> bool {
        let mut last = self
            .last_sweep
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is_time = last.is_none_or(|last| {
            now.duration_since(last)
                .map_or(true, |age| age >= self.settings.sweep_every)
        });
        if is_time {
            *last = Some(now);
        }
        is_time
    }
}
