//! Fires schedules.
//!
//! [`Expression`] computes the times, `payload` the event, `handover` passes it to the queue of
//! asynchronous events ([`crate::sources::asynchronous`]). As in the cloud, a fired event runs even if the
//! host is killed. A running invocation does not delay the next one; only the concurrency of the
//! function does. Times that passed while the machine slept, or while no host ran (`missed`), are
//! logged and not repeated.

mod handover;
mod kind;
mod missed;
mod payload;
mod status;

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::sources::asynchronous::AsyncQueue;
use crate::supervision::{Component, ComponentError, ComponentRegistry, supervise};
use sam_template::model::Schedule;

use missed::LastRunFile;
use status::ScheduleProgress;

pub use kind::ScheduleSourceKind;
pub use sam_template::schedule::{Expression, ScheduleError, instant, zone};
pub use status::ScheduleStatus;

/// Maximum sleep between two looks at the clock, so that a laptop that slept fires on time.
const MAX_SLEEP: Duration = Duration::from_mins(1);

/// Delay from which a firing counts as missed.
const MAX_DELAY: Duration = Duration::from_mins(1);

/// Number of unfinished events of a function at which a firing is dropped, so that the queue stays
/// bounded.
const MAX_UNFINISHED: usize = 100;

/// Fires every enabled schedule. Each is a component of its own, so that a failing one delays no
/// other.
#[derive(Debug)]
pub struct ScheduleEventSource {
    firings: Arc<[Firing]>,
    last_run: Option<LastRunFile>,
}

impl ScheduleEventSource {
    /// Schedules that count from now. `last_run_file` keeps when a host last ran; firings missed
    /// since then are logged once.
    pub fn new(
        schedules: impl IntoIterator<Item = Schedule>,
        queue: &AsyncQueue,
        last_run_file: Option<&Path>,
        parts: &ComponentRegistry,
    ) -> Self {
        let start = Timestamp::now();
        let last_run = last_run_file.map(LastRunFile::at);
        let last = last_run.as_ref().and_then(LastRunFile::read);
        let enabled = schedules.into_iter().filter(|schedule| schedule.enabled);
        let firing = |schedule: Schedule| Firing {
            part: parts.component(format!("schedule {}", schedule.id)),
            schedule,
            start,
            last,
            progress: Arc::default(),
            queue: queue.clone(),
        };
        Self {
            firings: enabled.map(firing).collect(),
            last_run,
        }
    }

    /// A snapshot of every schedule.
    pub fn snapshots(&self) -> Vec<ScheduleStatus> {
        let snapshot = |firing: &Firing| firing.progress.snapshot(&firing.schedule);
        self.firings.iter().map(snapshot).collect()
    }

    /// Fires until `shutdown` turns true, or no schedule fires again.
    pub fn fire(&self, shutdown: &watch::Receiver<bool>) -> impl Future<Output = ()> + use<> {
        let mut running = JoinSet::new();
        for firing in self.firings.iter().cloned() {
            let part = firing.part.clone();
            let stopping = shutdown.clone();
            let run = move || firing.clone().run(stopping.clone());
            running.spawn(supervise(part, shutdown.clone(), run));
        }
        wait_for_all(running, self.last_run.clone())
    }
}

/// Waits until every schedule has ended. Stores the time meanwhile, and when the last one has ended.
async fn wait_for_all(
    mut running: JoinSet<Result<(), ComponentError>>,
    last_run: Option<LastRunFile>,
) {
    if running.is_empty() {
        return;
    }
    loop {
        if let Some(file) = &last_run {
            file.write(Timestamp::now());
        }
        tokio::select! {
            ended = running.join_next() => match ended {
                Some(Ok(Ok(()))) => {}
                Some(Ok(Err(why))) => tracing::error!("{why}"),
                Some(Err(error)) => tracing::error!(%error, "a schedule ended"),
                None => return,
            },
            () = tokio::time::sleep(MAX_SLEEP) => {}
        }
    }
}

/// One schedule and its progress.
#[derive(Debug, Clone)]
struct Firing {
    part: Component,
    schedule: Schedule,
    /// Start of this host.
    start: Timestamp,
    /// When an earlier host last ran.
    last: Option<Timestamp>,
    /// A run after a panic continues there.
    progress: Arc<ScheduleProgress>,
    queue: AsyncQueue,
}

impl Firing {
    /// Fires until `shutdown` turns true, or the schedule does not fire again.
    async fn run(self, mut shutdown: watch::Receiver<bool>) -> Result<(), Infallible> {
        let schedule = self.schedule.clone();
        let (expression, zone) = match (
            Expression::parse(&schedule.expression),
            zone(&schedule.timezone),
        ) {
            (Ok(expression), Ok(zone)) => (expression, zone),
            // the template reader refuses these; one from elsewhere never fires
            (Err(wrong), _) | (_, Err(wrong)) => {
                tracing::error!(schedule = schedule.id, "{} {wrong}", schedule.expression);
                return Ok(());
            }
        };
        // Rates count from StartDate, which is a firing itself.
        let (beat, begin) = match schedule.start {
            Some(date) => (
                date,
                self.start.max(date - jiff::SignedDuration::from_nanos(1)),
            ),
            None => (self.start, self.start),
        };
        let handled = self.progress.handled();
        if handled.is_none() {
            self.progress.set_handled(begin);
            self.log_missed(&expression, &zone);
        }
        let mut last = handled.unwrap_or(begin);
        // concurrent, so that a firing that the queue refuses delays no other
        let mut handing_over = JoinSet::new();
        let is_over = |due: &Timestamp| schedule.end.is_some_and(|end| *due > end);
        let next = |last| expression.next(beat, last, &zone);
        while let Some(due) = next(last).filter(|due| !is_over(due)) {
            self.progress.set_next(Some(due));
            if !wait_until(due, &mut shutdown).await {
                break;
            }
            while handing_over.try_join_next().is_some() {}
            last = self.fire(due, &mut handing_over, &shutdown);
            self.progress.set_handled(last);
        }
        self.progress.set_next(None);
        while handing_over.join_next().await.is_some() {}
        Ok(())
    }

    fn log_missed(&self, expression: &Expression, zone: &TimeZone) {
        let missed = self.last.map_or(0, |last| {
            missed::count(&self.schedule, expression, zone, last, self.start)
        });
        self.progress.add_missed(missed);
        if missed > 0 {
            let count = missed::format_count(missed);
            tracing::warn!(
                schedule = self.schedule.id,
                count,
                "missed while no host ran; missed times are not repeated"
            );
        }
    }

    /// Reports, also to the health of the function, why the schedule is not fired.
    fn not_fired(&self, why: &str) {
        let Schedule { id, function, .. } = &self.schedule;
        self.progress.not_fired(why);
        let why = format!("schedule {id} is not fired: {why}");
        self.queue.not_created(function, &why);
    }

    /// Fires, unless it is too late or too many events wait. Returns the time up to which the
    /// schedule is done.
    fn fire(
        &self,
        due: Timestamp,
        handing_over: &mut JoinSet<()>,
        shutdown: &watch::Receiver<bool>,
    ) -> Timestamp {
        let schedule = &self.schedule;
        let now = Timestamp::now();
        if now.duration_since(due) > jiff::SignedDuration::try_from(MAX_DELAY).unwrap_or_default() {
            tracing::warn!(
                schedule = schedule.id,
                %due,
                "missed while this machine slept; missed times are not repeated"
            );
            self.progress.add_missed(1);
            return now;
        }
        if self.queue.unfinished(&schedule.function) >= MAX_UNFINISHED {
            self.not_fired(&format!("{MAX_UNFINISHED} earlier events have not ended"));
            tracing::warn!(
                schedule = schedule.id,
                "not fired: {MAX_UNFINISHED} earlier events of {} have not ended",
                schedule.function
            );
            return due;
        }
        let firing = self.clone();
        let shutdown = shutdown.clone();
        handing_over.spawn(async move {
            let firing = &firing;
            let accept = |event| async move {
                let taken = firing.queue.accept(event).await;
                taken
                    .inspect(|_| firing.progress.fired())
                    .inspect_err(|why| firing.not_fired(&why.to_string()))
            };
            handover::deliver(
                &firing.schedule,
                due,
                shutdown,
                handover::wait_after,
                accept,
            )
            .await;
        });
        due
    }
}

/// Waits until `due`. Returns false if the host drains first.
async fn wait_until(due: Timestamp, shutdown: &mut watch::Receiver<bool>) -> bool {
    loop {
        let left = due.duration_since(Timestamp::now());
        let Some(left) = Duration::try_from(left).ok().filter(|left| !left.is_zero()) else {
            return !*shutdown.borrow();
        };
        tokio::select! {
            () = tokio::time::sleep(left.min(MAX_SLEEP)) => {}
            _ = shutdown.wait_for(|stop| *stop) => return false,
        }
    }
}
