//! Fires schedules at the functions.
//!
//! [`expression`] and [`cron`] say when (pure); [`payload`] what is sent; [`runner`] carries one run to its end. A run that
//! still goes on does not hold back the next, as on Lambda: the function's concurrency does. Times that passed while the
//! host was away, or asleep, are not made up for: one line says how many were missed.

mod cron;
mod expression;
mod payload;
mod runner;

#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::invocation::Invoker;
use crate::model::Schedule;

pub use expression::{Expression, zone};

/// The clock is looked at this often at least: a laptop that slept must not fire hours late.
const LOOK_UP: Duration = Duration::from_mins(1);

/// A firing later than this counts as missed.
const TOO_LATE: Duration = Duration::from_mins(1);

/// Runs of one schedule in flight at most; beyond that a firing is dropped with a warning, as a queue would grow for ever.
const MOST_IN_FLIGHT: usize = 100;

/// Fires every enabled schedule until `shutdown` turns true, then waits for the runs in flight and returns.
pub async fn run(schedules: Vec<Schedule>, invoker: Invoker, shutdown: watch::Receiver<bool>) {
    let start = Timestamp::now();
    let mut running = JoinSet::new();
    for schedule in schedules.into_iter().filter(|schedule| schedule.enabled) {
        match (Expression::parse(&schedule.expression), zone(&schedule.timezone)) {
            (Ok(expression), Ok(zone)) => {
                running.spawn(one(schedule, expression, zone, start, invoker.clone(), shutdown.clone()));
            }
            // The template room refuses these; a schedule made elsewhere is told and left out.
            (Err(wrong), _) | (_, Err(wrong)) => tracing::error!(schedule = schedule.id, "{} {wrong}", schedule.expression),
        }
    }
    while running.join_next().await.is_some() {}
}

async fn one(
    schedule: Schedule,
    expression: Expression,
    zone: TimeZone,
    start: Timestamp,
    invoker: Invoker,
    mut shutdown: watch::Receiver<bool>,
) {
    let mut runs = JoinSet::new();
    let mut last = start;
    while let Some(due) = expression.next(start, last, &zone) {
        if !wait_until(due, &mut shutdown).await {
            break;
        }
        last = due;
        while runs.try_join_next().is_some() {}
        let now = Timestamp::now();
        if now.duration_since(due) > jiff::SignedDuration::try_from(TOO_LATE).unwrap_or_default() {
            tracing::warn!(schedule = schedule.id, %due, "missed: this machine was away; missed times are not made up for");
            last = now;
        } else if runs.len() >= MOST_IN_FLIGHT {
            tracing::warn!(schedule = schedule.id, "not fired: {MOST_IN_FLIGHT} earlier runs have not ended");
        } else {
            let (id, function, payload) = (schedule.id.clone(), schedule.function.clone(), payload::event(&schedule, due));
            let (invoker, mut shutdown) = (invoker.clone(), shutdown.clone());
            runs.spawn(async move { runner::invoke(&id, &function, payload, &invoker, &mut shutdown).await });
        }
    }
    while runs.join_next().await.is_some() {}
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
