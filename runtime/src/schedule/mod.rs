//! Fires schedules at the functions.
//!
//! [`expression`] and [`cron`] say when (pure); [`payload`] what is sent; the queue of asynchronous events takes it from
//! there ([`crate::asynchronous`]), as in the cloud: what was fired runs even if the host dies. A run that still goes on does
//! not hold back the next: the function's concurrency does. Times that passed while the
//! machine slept, or while no host ran ([`seen`]), are not made up for: a line says what was missed.

mod cron;
mod expression;
mod payload;
mod seen;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::asynchronous::{Event, Queue};
use crate::model::Schedule;

use seen::Seen;

pub use expression::{Expression, zone};

/// The clock is looked at this often at least: a laptop that slept must not fire hours late.
const LOOK_UP: Duration = Duration::from_mins(1);

/// A firing later than this counts as missed.
const TOO_LATE: Duration = Duration::from_mins(1);

/// Events of one function that have not ended; at so many a firing is dropped with a warning, as the queue would grow for ever.
const MOST_UNFINISHED: usize = 100;

/// Fires every enabled schedule until `shutdown` turns true.
///
/// `memory` is the file that says when a host last did; what would have fired since is told once, and not made up for.
pub async fn run(schedules: Vec<Schedule>, queue: Queue, memory: Option<&Path>, shutdown: watch::Receiver<bool>) {
    let start = Timestamp::now();
    let mut running = JoinSet::new();
    let seen = memory.map(Seen::at);
    let last = seen.as_ref().and_then(Seen::last);
    for schedule in schedules.into_iter().filter(|schedule| schedule.enabled) {
        match (Expression::parse(&schedule.expression), zone(&schedule.timezone)) {
            (Ok(expression), Ok(zone)) => {
                let missed = last.map_or(0, |last| seen::missed(&schedule, &expression, &zone, last, start));
                if missed > 0 {
                    let count = seen::shown(missed);
                    tracing::warn!(schedule = schedule.id, count, "missed while no host ran; missed times are not made up for");
                }
                running.spawn(one(schedule, expression, zone, start, queue.clone(), shutdown.clone()));
            }
            // The template room refuses these; a schedule made elsewhere is told and left out.
            (Err(wrong), _) | (_, Err(wrong)) => tracing::error!(schedule = schedule.id, "{} {wrong}", schedule.expression),
        }
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
                Some(Ok(())) => {}
                Some(Err(error)) => tracing::error!(%error, "ALARM: a schedule fires no more until the host is started anew"),
                None => break,
            },
            () = tokio::time::sleep(LOOK_UP) => {}
        }
    }
}

async fn one(
    schedule: Schedule,
    expression: Expression,
    zone: TimeZone,
    start: Timestamp,
    queue: Queue,
    mut shutdown: watch::Receiver<bool>,
) {
    // Rates count from StartDate; whatever is due at that very moment fires.
    let (beat, mut last) = match schedule.start {
        Some(date) => (date, start.max(date - jiff::SignedDuration::from_nanos(1))),
        None => (start, start),
    };
    let is_over = |due: &Timestamp| schedule.end.is_some_and(|end| *due > end);
    while let Some(due) = expression.next(beat, last, &zone).filter(|due| !is_over(due)) {
        if !wait_until(due, &mut shutdown).await {
            break;
        }
        last = due;
        let now = Timestamp::now();
        if now.duration_since(due) > jiff::SignedDuration::try_from(TOO_LATE).unwrap_or_default() {
            tracing::warn!(schedule = schedule.id, %due, "missed: this machine was away; missed times are not made up for");
            last = now;
        } else if queue.unfinished(&schedule.function) >= MOST_UNFINISHED {
            tracing::warn!(
                schedule = schedule.id,
                "not fired: {MOST_UNFINISHED} earlier events of {} have not ended",
                schedule.function
            );
        } else {
            let event = Event { function: schedule.function.clone(), payload: payload::event(&schedule, due), trace_id: None };
            if let Err(why) = queue.accept(event).await {
                tracing::error!(schedule = schedule.id, "ALARM: not fired: {why}");
            }
        }
    }
}

/// True once it is time; false when the host ends first.
async fn wait_until(due: Timestamp, shutdown: &mut watch::Receiver<bool>) -> bool {
    loop {
        let left = due.duration_since(Timestamp::now());
        let Some(left) = Duration::try_from(left).ok().filter(|left| !left.is_zero()) else { return !*shutdown.borrow() };
        tokio::select! {
            () = tokio::time::sleep(left.min(LOOK_UP)) => {}
            _ = shutdown.wait_for(|stop| *stop) => return false,
        }
    }
}
