//! From observations to a state.

use super::{LastError, SourceHealth, SourceProblem, SourceState};
use crate::Millis;

/// Work that is older than this makes its source `behind`, milliseconds.
pub const BEHIND_AFTER: Millis = 10_000;

/// Work that waits while none is done, and while the function does not work on any, makes its source `stuck` after this time, milliseconds.
pub const STUCK_AFTER: Millis = 20_000;

/// So many failures in a row make a source `failing`, once they last [`FAILING_AFTER`]. Two do after [`STUCK_AFTER`].
pub const FAILING_TIMES: u32 = 3;

/// The least time that failures last before they make a source `failing`, milliseconds: a dependency that restarts is no fault.
pub const FAILING_AFTER: Millis = 5_000;

/// Longest text of an error that is kept, characters.
const MOST_TEXT: usize = 500;

/// Work that waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WaitingWork {
    /// When the oldest record, message or event was made; `None`: not known.
    pub oldest: Option<Millis>,
    /// Since when something waits without a break; `None`: since the watch was first informed of it.
    pub since: Option<Millis>,
    /// The function works on some of it, or it is gathered into a batch: it may take its time.
    pub in_flight: bool,
}

/// What is observed of one source.
#[derive(Debug, Clone, Default)]
pub struct SourceWatch {
    /// Since when nothing is wrong, as long as nothing is.
    well_since: Millis,
    problem: Option<(Millis, SourceProblem)>,
    paused_since: Option<Millis>,
    /// Since when something waits without a break.
    waiting: Option<(Millis, WaitingWork)>,
    /// Since when the oldest of it has been older than [`BEHIND_AFTER`].
    old_since: Option<Millis>,
    failures: u32,
    failing_since: Option<Millis>,
    /// Why the function did not begin, since anything was last done.
    refused: Option<String>,
    /// Why work does not come.
    blocked: Option<String>,
    /// The reason of a source that is stuck where neither of the two explains it.
    unexplained: Option<String>,
    last_error: Option<LastError>,
    last_progress: Option<Millis>,
}

impl SourceWatch {
    /// A source that is well from `now` on.
    pub fn new(now: Millis) -> Self {
        Self {
            well_since: now,
            ..Self::default()
        }
    }

    /// Sets the fault that the adapter observes, or ends it. One that only changes its words lasts on.
    pub fn problem(&mut self, now: Millis, problem: Option<SourceProblem>) {
        self.change(now, |watch| {
            let before = watch.problem.take();
            watch.problem = problem.map(|problem| {
                let since = before
                    .filter(|(_, known)| known.state == problem.state)
                    .map_or(now, |(since, _)| since);
                (since, problem)
            });
        });
    }

    /// Sets whether an operator holds the source back.
    pub fn paused(&mut self, now: Millis, paused: bool) {
        self.change(now, |watch| {
            watch.paused_since = paused.then(|| watch.paused_since.unwrap_or(now));
        });
    }

    /// Sets what waits; `None`: nothing does.
    pub fn waits(&mut self, now: Millis, waiting: Option<WaitingWork>) {
        self.change(now, |watch| {
            let since = watch.waiting.map_or(now, |(since, _)| since);
            watch.waiting =
                waiting.map(|waiting| (waiting.since.unwrap_or(since).min(now), waiting));
            let old = watch
                .waiting
                .is_some_and(|waiting| age(now, waiting) >= BEHIND_AFTER);
            watch.old_since = old.then(|| watch.old_since.unwrap_or(now));
            if waiting.is_none() {
                watch.refused = None;
            }
        });
    }

    /// Work was done or given up.
    pub fn progressed(&mut self, now: Millis) {
        self.change(now, |watch| {
            watch.last_progress = Some(now);
            watch.refused = None;
        });
    }

    /// The function succeeded.
    pub fn succeeded(&mut self, now: Millis) {
        self.change(now, |watch| {
            watch.failures = 0;
            watch.failing_since = None;
            watch.refused = None;
        });
    }

    /// The function failed.
    pub fn failed(&mut self, now: Millis, error: &str) {
        self.failures = self.failures.saturating_add(1);
        self.failing_since.get_or_insert(now);
        self.refused = None;
        self.noted(now, error);
    }

    /// An error that does not decide the state by itself.
    pub fn noted(&mut self, now: Millis, error: &str) {
        self.last_error = Some(LastError {
            at_ms: now,
            error: shortened(error),
        });
    }

    /// The function did not begin, for this reason: it is throttled, for example. Holds until something is done or fails.
    pub fn refused(&mut self, why: String) {
        self.refused = Some(why);
    }

    /// Sets why work that waits does not come, such as an open transaction; `None`: nothing holds it back.
    pub fn blocked(&mut self, why: Option<String>) {
        self.blocked = why;
    }

    /// Sets the reason of a source that is stuck without any other one.
    pub fn unexplained(&mut self, why: Option<String>) {
        self.unexplained = why;
    }

    /// The last error.
    pub fn last_error(&self) -> Option<&LastError> {
        self.last_error.as_ref()
    }

    /// The source's health.
    pub fn health(&self, now: Millis) -> SourceHealth {
        let (state, since_ms) = self.classify(now);
        SourceHealth {
            state,
            since_ms,
            reason: self.reason(state),
            last_error: self.last_error.clone(),
            oldest_waiting_ms: self.waiting.map(|waiting| age(now, waiting)),
            last_progress_ms: self.last_progress,
        }
    }

    /// Applies a change; a source that is well after it and was not before is well since `now`.
    fn change(&mut self, now: Millis, change: impl FnOnce(&mut Self)) {
        let before = self.classify(now).0;
        change(self);
        if before != SourceState::Ok && self.classify(now).0 == SourceState::Ok {
            self.well_since = now;
        }
    }

    fn classify(&self, now: Millis) -> (SourceState, Millis) {
        if let Some((since, problem)) = &self.problem {
            return (problem.state, *since);
        }
        if let Some(since) = self.paused_since {
            return (SourceState::Paused, since);
        }
        let Some((since, waiting)) = self.waiting else {
            return (SourceState::Ok, self.well_since);
        };
        if let Some(failing) = self.failing_since {
            let lasts = now - failing;
            let long = self.failures > 1 && lasts >= STUCK_AFTER;
            if long || (self.failures >= FAILING_TIMES && lasts >= FAILING_AFTER) {
                return (SourceState::Failing, failing);
            }
        }
        let still = self
            .last_progress
            .map_or(since, |progress| progress.max(since));
        // a try that waits for an instance is no work, and after a failure the next try may be a while off
        let idle = self.refused.is_some() || (!waiting.in_flight && self.failing_since.is_none());
        if idle && now - still >= STUCK_AFTER {
            return (SourceState::Stuck, still);
        }
        if age(now, (since, waiting)) >= BEHIND_AFTER {
            // by now, if nothing was reported since
            let crossed =
                (waiting.oldest.unwrap_or(since) + BEHIND_AFTER).clamp(since.min(now), now);
            return (SourceState::Behind, self.old_since.unwrap_or(crossed));
        }
        (SourceState::Ok, self.well_since)
    }

    fn reason(&self, state: SourceState) -> Option<String> {
        let hindrance = || self.refused.clone().or_else(|| self.blocked.clone());
        match state {
            SourceState::Ok => None,
            SourceState::Paused => Some("paused; usher resume has it read on".to_owned()),
            SourceState::Behind => hindrance(),
            SourceState::Failing if self.problem.is_none() => Some(format!(
                "the function has failed {} times in a row: {}. Mend it, or pass over what it cannot handle",
                self.failures,
                self.last_error
                    .as_ref()
                    .map_or("no reason given", |error| &error.error)
            )),
            SourceState::Stuck if self.problem.is_none() => {
                let why = hindrance().or_else(|| self.unexplained.clone());
                Some(why.unwrap_or_else(|| "work waits, and none has been done since".to_owned()))
            }
            _ => self
                .problem
                .as_ref()
                .map(|(_, problem)| problem.reason.clone()),
        }
    }
}

/// Age of the oldest work; not below zero, since a producer's clock may be ahead.
fn age(now: Millis, (since, waiting): (Millis, WaitingWork)) -> Millis {
    (now - waiting.oldest.unwrap_or(since)).max(0)
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MOST_TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
