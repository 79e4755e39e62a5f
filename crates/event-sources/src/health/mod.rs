//! The health of a source of events: of a Kafka mapping and each of its partitions, of a queue, of
//! the asynchronous events of a function.
//!
//! A source's driver reports its observations to a [`SourceWatch`], which classifies the source
//! into a [`SourceState`]. No clock and no I/O: time is a parameter.

mod watch;

#[cfg(test)]
mod watch_tests;

use serde::Serialize;

use crate::Millis;
pub use watch::{
    BEHIND_AFTER, FAILING_AFTER, FAILING_TIMES, STUCK_AFTER, SourceWatch, WaitingWork,
};

/// The state of a source, in order of severity. A mapping has the most severe state of its
/// partitions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceState {
    /// No work waits, or all of it is younger than [`BEHIND_AFTER`].
    #[default]
    Ok,
    /// An operator paused it.
    Paused,
    /// Work has waited longer than [`BEHIND_AFTER`], and progress is being made.
    Behind,
    /// The function fails repeatedly, without a success in between.
    Failing,
    /// Work waits without progress: it cannot be read, or it waits for something other than the
    /// function.
    Stuck,
    /// The topic or the queue does not exist.
    Missing,
    /// The server does not answer.
    Away,
}

impl SourceState {
    /// Every state, in order of severity.
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

    /// The source or its server needs an operator.
    pub fn is_unwell(self) -> bool {
        self >= Self::Failing
    }
}

/// The health of a source at one time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SourceHealth {
    /// Classification.
    pub state: SourceState,
    /// Since when, as far as observed.
    pub since_ms: Millis,
    /// What is wrong, and the remedy.
    pub reason: Option<String>,
    /// The last error since the start. It may be over.
    pub last_error: Option<LastError>,
    /// Age of the oldest record, message or event that waits. A lower bound, counted from the first
    /// observation, where its own time is unknown.
    pub oldest_waiting_ms: Option<Millis>,
    /// When a record, message or event was last processed or discarded.
    pub last_progress_ms: Option<Millis>,
}

impl SourceHealth {
    /// The health of a source that consists of these parts: the most severe state with its reason
    /// (of the first part in that state), the latest error, the oldest work, the latest progress.
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

    /// The reason, if the source is unwell.
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

/// A fault that the driver of a source observed. It lasts until the driver reports its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceProblem {
    /// The state of the source while the fault lasts.
    pub state: SourceState,
    /// What is wrong, and the remedy.
    pub reason: String,
}

impl SourceProblem {
    /// Work cannot be read or passed on.
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
