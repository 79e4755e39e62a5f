//! Fires schedules at the functions.
//!
//! [`Expression`] says when; [`payload`] what is sent (pure); [`handover`] hands it to
//! the queue of asynchronous events, which takes it from there ([`crate::asynchronous`]), as in the cloud: what was fired runs even if the host dies. A run that still goes on does
//! not hold back the next: the function's concurrency does. Times that passed while the
//! machine slept, or while no host ran ([`seen`]), are not made up for: a line says what was missed.

mod handover;
mod payload;
mod seen;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::asynchronous::Queue;
use crate::supervision::{ComponentRegistry, supervise};
use sam_template::model::Schedule;

use seen::Seen;

pub use sam_template::schedule::{Expression, ScheduleError, instant, zone};

/// The clock is looked at this often at least: a laptop that slept must not fire hours late.
const LOOK_UP: Duration = Duration::from_mins(1);

/// A firing later than this counts as missed.
const TOO_LATE: Duration = Duration::from_mins(1);

/// Events of one function that have not ended; at so many a firing is dropped with a warning, as the queue would grow for ever.
const MOST_UNFINISHED: usize = 100;

/// Fires every enabled schedule until `shutdown` turns true. Each is a part of its own in `parts`: one that fails holds back no other.
///
/// `memory` is the file that says when a host last did; what would have fired since is told once, and not made up for.
pub async fn run(
    schedules: Vec<Schedule>,
    queue: Queue,
    memory: Option<&Path>,
    parts: ComponentRegistry,
    shutdown: watch::Receiver<bool>,
) {
    let start = Timestamp::now();
    let mut running = JoinSet::new();
    let seen = memory.map(Seen::at);
    let last = seen.as_ref().and_then(Seen::last);
    for schedule in schedules.into_iter().filter(|schedule| schedule.enabled) {
        let part = parts.component(format!("schedule {}", schedule.id));
        let firing = Firing {
            schedule,
            start,
            last,
            handled: Arc::default(),
            queue: queue.clone(),
            shutdown: shutdown.clone(),
        };
        running.spawn(supervise(part, shutdown.clone(), move || {
            firing.clone().run()
        }));
    }
    if running.is_empty() {
        return;
    }
    loop {
        if let Some(seen) = &seen {
            seen.note(Timestamp::now());
        }
        tokio::select! {
            ended = running.join_next() => match ended {
                Some(Ok(Ok(()))) => {}
                Some(Ok(Err(why))) => tracing::error!("{why}"),
                Some(Err(error)) => tracing::error!(%error, "a schedule ended"),
                None => break,
            },
            () = tokio::time::sleep(LOOK_UP) => {}
        }
    }
}

/// One schedule, over all of its runs.
#[derive(Debug, Clone)]
struct Firing {
    schedule: Schedule,
    /// When this host began.
    start: Timestamp,
    /// When an earlier host last looked after the schedules.
    last: Option<Timestamp>,
    /// Up to when the schedule was looked after by this host; a run that follows a panic goes on from there.
    handled: Arc<Mutex<Option<Timestamp>>>,
    queue: Queue,
    shutdown: watch::Receiver<bool>,
}

impl Firing {
    fn handled(&self) -> MutexGuard<'_, Option<Timestamp>> {
        self.handled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn run(mut self) -> Result<(), String> {
        let schedule = self.schedule.clone();
        let (expression, zone) = match (
            Expression::parse(&schedule.expression),
            zone(&schedule.timezone),
        ) {
            (Ok(expression), Ok(zone)) => (expression, zone),
            // the template's reader refuses these; one that was made elsewhere never fires
            (Err(wrong), _) | (_, Err(wrong)) => {
                tracing::error!(schedule = schedule.id, "{} {wrong}", schedule.expression);
                return Ok(());
            }
        };
        // Rates count from StartDate; whatever is due at that very moment fires.
        let (beat, begin) = match schedule.start {
            Some(date) => (
                date,
                self.start.max(date - jiff::SignedDuration::from_nanos(1)),
            ),
            None => (self.start, self.start),
        };
        let handled = *self.handled();
        if handled.is_none() {
            *self.handled() = Some(begin);
            self.tell_of_the_missed(&expression, &zone);
        }
        let mut last = handled.unwrap_or(begin);
        // Beside the clock: a firing that the queue does not take yet holds back no other.
        let mut handing_over = JoinSet::new();
        let is_over = |due: &Timestamp| schedule.end.is_some_and(|end| *due > end);
        while let Some(due) = expression
            .next(beat, last, &zone)
            .filter(|due| !is_over(due))
        {
            if !wait_until(due, &mut self.shutdown).await {
                break;
            }
            while handing_over.try_join_next().is_some() {}
            last = self.due(due, &mut handing_over);
            *self.handled() = Some(last);
        }
        while handing_over.join_next().await.is_some() {}
        Ok(())
    }

    fn tell_of_the_missed(&self, expression: &Expression, zone: &TimeZone) {
        let missed = self.last.map_or(0, |last| {
            seen::missed(&self.schedule, expression, zone, last, self.start)
        });
        if missed > 0 {
            let count = seen::shown(missed);
            tracing::warn!(
                schedule = self.schedule.id,
                count,
                "missed while no host ran; missed times are not made up for"
            );
        }
    }

    /// Fires, unless it is too late or too many events wait. Returns up to when the schedule is looked after by this.
    fn due(&self, due: Timestamp, handing_over: &mut JoinSet<()>) -> Timestamp {
        let schedule = &self.schedule;
        let now = Timestamp::now();
        if now.duration_since(due) > jiff::SignedDuration::try_from(TOO_LATE).unwrap_or_default() {
            tracing::warn!(schedule = schedule.id, %due, "missed: this machine was away; missed times are not made up for");
            return now;
        }
        if self.queue.unfinished(&schedule.function) >= MOST_UNFINISHED {
            let why = format!(
                "schedule {} is not fired: {MOST_UNFINISHED} earlier events have not ended",
                schedule.id
            );
            self.queue.not_made(&schedule.function, &why);
            tracing::warn!(
                schedule = schedule.id,
                "not fired: {MOST_UNFINISHED} earlier events of {} have not ended",
                schedule.function
            );
            return due;
        }
        let firing = self.clone();
        handing_over.spawn(async move {
            let Self {
                schedule,
                queue,
                shutdown,
                ..
            } = firing;
            let accept = |event| {
                let queue = queue.clone();
                let schedule = schedule.clone();
                async move {
                    let taken = queue.accept(event).await;
                    if let Err(why) = &taken {
                        queue.not_made(
                            &schedule.function,
                            &format!("schedule {} is not fired: {why}", schedule.id),
                        );
                    }
                    taken
                }
            };
            handover::deliver(&schedule, due, shutdown, handover::wait_after, accept).await;
        });
        due
    }
}

/// True once it is time; false when the host ends first.
async fn wait_until(due: Timestamp, shutdown: &mut watch::Receiver<bool>) -> bool {
    loop {
        let left = due.duration_since(Timestamp::now());
        let Some(left) = Duration::try_from(left).ok().filter(|left| !left.is_zero()) else {
            return !*shutdown.borrow();
        };
        tokio::select! {
            () = tokio::time::sleep(left.min(LOOK_UP)) => {}
            _ = shutdown.wait_for(|stop| *stop) => return false,
        }
    }
}
