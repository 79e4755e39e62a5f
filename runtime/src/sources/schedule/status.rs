//! The progress of a schedule, for the status.

use std::sync::Mutex;

use event_sources::Millis;
use event_sources::health::{SourceHealth, SourceWatch};
use jiff::Timestamp;
use sam_template::model::Schedule;
use serde::Serialize;
use serde_json::json;

use crate::clock::now;
use crate::lock::lock;
use crate::sources::status::{SourceStatus, SourceSubject};

/// A snapshot of a schedule.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ScheduleStatus {
    /// Logical id.
    pub schedule: String,
    /// Logical id of the function.
    pub function: String,
    /// Its expression.
    pub expression: String,
    /// The time zone of the expression.
    pub timezone: String,
    /// The time of the next firing, milliseconds since 1970. `None`: it does not fire again.
    pub next_ms: Option<Millis>,
    /// Times that passed while no host ran, at most a thousand and one, and sleeps of the machine
    /// during which times passed.
    pub missed: u64,
    /// Why the last firing is not an event of the function yet.
    pub problem: Option<String>,
    /// Health. What prevents a firing is in `last_error`.
    pub health: SourceHealth,
}

/// Written by the runs of a schedule, read by the status.
#[derive(Debug)]
pub(super) struct ScheduleProgress(Mutex<Observed>);

#[derive(Debug)]
struct Observed {
    /// Time up to which this host has fired the schedule.
    handled: Option<Timestamp>,
    next: Option<Timestamp>,
    missed: u64,
    problem: Option<String>,
    watch: SourceWatch,
}

impl Default for ScheduleProgress {
    fn default() -> Self {
        Self(Mutex::new(Observed {
            handled: None,
            next: None,
            missed: 0,
            problem: None,
            watch: SourceWatch::new(now()),
        }))
    }
}

impl ScheduleProgress {
    pub(super) fn handled(&self) -> Option<Timestamp> {
        lock(&self.0).handled
    }

    pub(super) fn set_handled(&self, until: Timestamp) {
        lock(&self.0).handled = Some(until);
    }

    /// Sets the next firing. `None`: there is none.
    pub(super) fn set_next(&self, next: Option<Timestamp>) {
        lock(&self.0).next = next;
    }

    pub(super) fn add_missed(&self, missed: usize) {
        lock(&self.0).missed += missed as u64;
    }

    /// A firing is an event of the function.
    pub(super) fn fired(&self) {
        let mut observed = lock(&self.0);
        observed.problem = None;
        observed.watch.progressed(now());
    }

    /// A firing is not an event of the function.
    pub(super) fn not_fired(&self, why: &str) {
        let mut observed = lock(&self.0);
        observed.problem = Some(why.to_owned());
        observed.watch.noted(now(), why);
    }

    pub(super) fn snapshot(&self, schedule: &Schedule) -> ScheduleStatus {
        let observed = lock(&self.0);
        ScheduleStatus {
            schedule: schedule.id.clone(),
            function: schedule.function.clone(),
            expression: schedule.expression.clone(),
            timezone: schedule.timezone.clone(),
            next_ms: observed.next.map(Timestamp::as_millisecond),
            missed: observed.missed,
            problem: observed.problem.clone(),
            health: observed.watch.health(now()),
        }
    }
}

impl From<ScheduleStatus> for SourceStatus {
    fn from(status: ScheduleStatus) -> Self {
        Self {
            id: status.schedule.clone(),
            subject: SourceSubject::Schedule,
            health: status.health.clone(),
            entry: json!(status),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::schedule;
    use super::*;
    use sam_template::model::ScheduleKind;

    #[test]
    fn a_problem_lasts_until_the_next_firing() {
        let schedule = schedule(ScheduleKind::Rule, None);
        let progress = ScheduleProgress::default();
        progress.set_next(Some(Timestamp::from_millisecond(7_000).unwrap()));
        progress.add_missed(2);
        progress.not_fired("100 earlier events have not ended");
        let status = progress.snapshot(&schedule);
        assert_eq!((status.next_ms, status.missed), (Some(7_000), 2));
        assert_eq!(
            status.problem.as_deref(),
            Some("100 earlier events have not ended")
        );
        assert_eq!(
            status.health.problem(),
            None,
            "the function's events are unwell then, the schedule is not"
        );
        progress.fired();
        let status = progress.snapshot(&schedule);
        assert_eq!(status.problem, None);
        assert!(status.health.last_error.is_some() && status.health.last_progress_ms.is_some());
    }
}
