//! Classifies a source by the observations of its driver.

use super::{LastError, SourceHealth, SourceProblem, SourceState};
use crate::Millis;

/// Age of waiting work from which its source is `behind`.
pub const BEHIND_AFTER: Millis = 10_000;

/// Time without progress, and without work at the function, after which a source is `stuck`.
pub const STUCK_AFTER: Millis = 20_000;

/// Consecutive failures that make a source `failing` once they last [`FAILING_AFTER`]. Two failures
/// do so after [`STUCK_AFTER`].
pub const FAILING_TIMES: u32 = 3;

/// Minimum duration of failures before a source is `failing`, so that the restart of a dependency
/// is not reported.
pub const FAILING_AFTER: Millis = 5_000;

/// Maximum length of a stored error text, in characters.
const MAX_TEXT: usize = 500;

/// Work that waits to be processed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WaitingWork {
    /// Creation time of the oldest record, message or event, if known.
    pub oldest: Option<Millis>,
    /// Since when work has waited without a break. `None`: since the first report of it.
    pub since: Option<Millis>,
    /// The function processes some of it, or it is being gathered into a batch. Not stuck.
    pub in_flight: bool,
}

/// The observations of one source.
#[derive(Debug, Clone, Default)]
pub struct SourceWatch {
    /// Since when the source has been `ok`.
    well_since: Millis,
    problem: Option<(Millis, SourceProblem)>,
    paused_since: Option<Millis>,
    /// Since when work has waited without a break.
    waiting: Option<(Millis, WaitingWork)>,
    /// Since when its oldest part has been older than [`BEHIND_AFTER`].
    old_since: Option<Millis>,
    failures: u32,
    failing_since: Option<Millis>,
    /// Why the function did not begin since the last progress.
    refused: Option<String>,
    /// Why waiting work cannot be read.
    blocked: Option<String>,
    /// Reason of `stuck` if neither `refused` nor `blocked` is set.
    unexplained: Option<String>,
    last_error: Option<LastError>,
    last_progress: Option<Millis>,
}

impl SourceWatch {
    /// A source that is `ok` from `now` on.
    pub fn new(now: Millis) -> Self {
        Self {
            well_since: now,
            ..Self::default()
        }
    }

    /// Sets or ends the fault that the driver observes. A new text keeps the time of the fault.
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

    /// Sets whether an operator has paused the source.
    pub fn paused(&mut self, now: Millis, paused: bool) {
        self.change(now, |watch| {
            watch.paused_since = paused.then(|| watch.paused_since.unwrap_or(now));
        });
    }

    /// Sets the work that waits; `None`: no work waits.
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

    /// Work was processed or discarded.
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

    /// Records an error that does not change the state.
    pub fn noted(&mut self, now: Millis, error: &str) {
        self.last_error = Some(LastError {
            at_ms: now,
            error: shortened(error),
        });
    }

    /// The function did not begin, for example because it is throttled. Valid until the next
    /// progress or failure.
    pub fn refused(&mut self, why: String) {
        self.refused = Some(why);
    }

    /// Sets why waiting work cannot be read, such as an open transaction.
    pub fn blocked(&mut self, why: Option<String>) {
        self.blocked = why;
    }

    /// Sets the reason of `stuck` for the case that no other reason is known.
    pub fn unexplained(&mut self, why: Option<String>) {
        self.unexplained = why;
    }

    /// The last error since the start.
    pub fn last_error(&self) -> Option<&LastError> {
        self.last_error.as_ref()
    }

    /// The health at `now`.
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

    /// Applies a change. A source that becomes `ok` through it is so since `now`.
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
        // waiting for an instance is no progress; after a failure the next attempt may be far off
        let idle = self.refused.is_some() || (!waiting.in_flight && self.failing_since.is_none());
        if idle && now - still >= STUCK_AFTER {
            return (SourceState::Stuck, still);
        }
        if age(now, (since, waiting)) >= BEHIND_AFTER {
            // without a report since, the age crossed the limit at a computed time
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
                "the function has failed {} times in a row: {}. Mend it, or pass over what it \
                 cannot handle",
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

/// Age of the oldest work. At least 0, since the clock of a producer may be ahead.
fn age(now: Millis, (since, waiting): (Millis, WaitingWork)) -> Millis {
    (now - waiting.oldest.unwrap_or(since)).max(0)
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
