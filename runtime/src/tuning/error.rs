//! Why a change of a setting is refused.

use super::{BatchRefusal, Setting};

/// Why a change is refused, and what is accepted.
#[derive(Debug, thiserror::Error)]
pub enum SettingError {
    /// Nothing of this name has settings.
    #[error(
        "there is nothing called {target} to set.{} There is: {}.",
        hint(.nearest.as_deref()),
        .known.join(", ")
    )]
    UnknownTarget {
        /// The name.
        target: String,
        /// The most similar name.
        nearest: Option<String>,
        /// Every target.
        known: Vec<String>,
    },
    /// The target has no setting of this name.
    #[error("{target} has no setting {setting}. It has: {}.", .known.join(", "))]
    UnknownSetting {
        /// Logical id, or [`super::HOST`].
        target: String,
        /// The name.
        setting: String,
        /// Its settings.
        known: Vec<&'static str>,
    },
    /// The setting does not take this value.
    #[error("{} of {target} {error}.", .setting.name())]
    Value {
        /// Logical id, or [`super::HOST`].
        target: String,
        /// The setting.
        setting: Setting,
        /// What it takes.
        error: ValueError,
    },
    /// The batches of the source cannot be so.
    #[error("{target}: {error}.")]
    Batch {
        /// Logical id.
        target: String,
        /// The rule of its kind.
        error: BatchRefusal,
    },
    /// The log of this host has no switch.
    #[error("this host's log cannot be changed")]
    FixedLog,
    /// The log does not take the value.
    #[error("{0}")]
    Log(#[from] LogError),
}

fn hint(nearest: Option<&str>) -> String {
    nearest
        .map(|near| format!(" Did you mean {near}?"))
        .unwrap_or_default()
}

/// What a setting takes instead of a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// No number, or out of bounds.
    #[error("must be a whole number from {low} to {high}, not '{text}'")]
    Number {
        /// Smallest value.
        low: u32,
        /// Largest value.
        high: u32,
        /// The value.
        text: String,
    },
    /// No time, or out of bounds.
    #[error("must be seconds from 0 to {high}, or milliseconds such as 20ms, not '{text}'")]
    Window {
        /// Largest number of seconds.
        high: u32,
        /// The value.
        text: String,
    },
    /// Neither true nor false.
    #[error("must be true or false, not '{0}'")]
    Flag(String),
    /// Numbers of partitions are required.
    #[error("must be numbers of partitions, such as 0,3, or none; not '{0}'")]
    Partitions(String),
    /// Topics and numbers of partitions are required.
    #[error("must be TOPIC-NUMBER of its topics, or none; not '{0}'")]
    PartitionsOfTopics(String),
    /// No log level.
    #[error("must name a level, such as info or debug")]
    NoLevel,
    /// Too long for a log filter.
    #[error("is too long: {max} characters at most")]
    TooLong {
        /// Maximum length.
        max: usize,
    },
    /// No log filter.
    #[error(
        "must be a level, such as info or debug, or directives such as info,usher=debug, not \
         '{0}'"
    )]
    Directives(String),
}

/// Why the log has another filter than was set.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The text is no filter.
    #[error("log must be a level, such as info or debug ({0})")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The log is gone.
    #[error(transparent)]
    Reload(#[from] tracing_subscriber::reload::Error),
}
