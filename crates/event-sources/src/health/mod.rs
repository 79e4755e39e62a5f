//! The health of a source of events: a Kafka mapping and each of its partitions, a queue, the asynchronous events of a function.
//!
//! The adapters of the sources report what they observe to a [`SourceWatch`]; it classifies the source into a [`SourceState`]. No clock and
//! no I/O: time is a parameter. The status, `/health`, the metrics and the page all show the same [`SourceHealth`].

mod watch;

#[cfg(test)]
mod watch_tests;

use crate::Millis;
use serde::Serialize;

pub use watch::{
    BEHIND_AFTER, FAILING_AFTER, FAILING_TIMES, STUCK_AFTER, SourceWatch, WaitingWork,
};

/// What a source is doing, from the best state to the worst. Of several partitions the worst state is their mapping's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceState {
    /// Nothing waits, or what waits is younger than [`BEHIND_AFTER`].
    #[default]
    Ok,
    /// An operator paused it.
    Paused,
    /// Work has waited longer than [`BEHIND_AFTER`]; it is being done.
    Behind,
    /// The function fails again and again, without a success in between.
    Failing,
    /// Work waits and none of it is done: it cannot be read, or it waits for something that is not the function.
    Stuck,
    /// The topic or the queue does not exist.
    Missing,
    /// The server does not answer.
    Away,
}

impl SourceState {
    /// Every state, from the best to the worst.
    pub const ALL: [Self; 7] = [
        Self::Ok,
        Self::Paused,
        Self::Behind,
        Self::Failing,
        Self::Stuck,
        Self::Missing,
        Self::Away,
    ];

    /// The state's name in the status and in the metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Paused => "paused",
            Self::Behind => "behind",
            Self::Failing => "failing",
            Self::Stuck => "stuck",
            Self::Missing => "missing",
            Self::Away => "away",
        }
    }

    /// The source needs an operator, or its server does: `/health` answers 503.
    pub fn is_unwell(self) -> bool {
        self >= Self::Failing
    }
}

/// A source's health at a moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SourceHealth {
    /// What the source is doing.
    pub state: SourceState,
    /// Since when, as far as this host observed it.
    pub since_ms: Millis,
    /// What is wrong, and what to do; `None` where nothing is.
    pub reason: Option<String>,
    /// The last error of this source since the host started. It may be over.
    pub last_error: Option<LastError>,
    /// Age of the oldest record, message or event that waits, in milliseconds. Where the source cannot tell the record's own time it is the
    /// time since this host first observed that something waits: a lower bound.
    pub oldest_waiting_ms: Option<Millis>,
    /// When work was last done: a record, message or event was handled or given up. `None`: not since the host started.
    pub last_progress_ms: Option<Millis>,
}

impl SourceHealth {
    /// The health of a source that consists of these parts: the worst state with its reason, the latest error, the oldest work and the
    /// latest progress. Of several parts in the worst state the first counts.
    pub fn of_parts<'a>(parts: impl IntoIterator<Item = &'a Self>) -> Self {
        parts
            .into_iter()
            .fold(None, |all: Option<Self>, part| {
                Some(all.map_or_else(|| part.clone(), |all| all.with(part)))
            })
            .unwrap_or_default()
    }

    fn with(mut self, part: &Self) -> Self {
        if part.state > self.state {
            (self.state, self.since_ms) = (part.state, part.since_ms);
            self.reason.clone_from(&part.reason);
        } else if part.state == SourceState::Ok && self.state == SourceState::Ok {
            self.since_ms = self.since_ms.max(part.since_ms);
        }
        let at = |error: &Option<LastError>| error.as_ref().map(|error| error.at_ms);
        if at(&part.last_error) > at(&self.last_error) {
            self.last_error.clone_from(&part.last_error);
        }
        self.oldest_waiting_ms = self.oldest_waiting_ms.max(part.oldest_waiting_ms);
        self.last_progress_ms = self.last_progress_ms.max(part.last_progress_ms);
        self
    }

    /// The reason, where the source is unwell.
    pub fn problem(&self) -> Option<String> {
        self.state.is_unwell().then(|| {
            self.reason
                .clone()
                .unwrap_or_else(|| self.state.name().to_owned())
        })
    }
}

/// An error of a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastError {
    /// When it happened.
    pub at_ms: Millis,
    /// Its text.
    pub error: String,
}

/// A fault that the adapter of a source observed itself; it lasts until the adapter reports its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceProblem {
    /// The state it puts the source into.
    pub state: SourceState,
    /// What is wrong, and what to do.
    pub reason: String,
}

impl SourceProblem {
    /// Work cannot be read or handed on, for this reason.
    pub fn stuck(reason: impl Into<String>) -> Self {
        Self {
            state: SourceState::Stuck,
            reason: reason.into(),
        }
    }

    /// The topic or the queue does not exist.
    pub fn missing(reason: impl Into<String>) -> Self {
        Self {
            state: SourceState::Missing,
            reason: reason.into(),
        }
    }

    /// The server does not answer.
    pub fn away(reason: impl Into<String>) -> Self {
        Self {
            state: SourceState::Away,
            reason: reason.into(),
        }
    }
}
