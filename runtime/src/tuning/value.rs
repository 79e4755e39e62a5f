//! The settings, and their bounds.

use std::fmt;
use std::ops::RangeInclusive;

use serde::Serialize;
use serde_json::Value;
use tracing_subscriber::EnvFilter;

use super::ValueError;

/// Maximum length of a log filter.
const MAX_DIRECTIVES: usize = 500;

/// The kinds of targets that have settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SettingTarget {
    /// A function.
    Function,
    /// The host.
    Host,
    /// A source, as its kind calls it ([`super::TunableSource::subject`]).
    #[serde(untagged)]
    Source(Value),
}

/// A setting that may change while the host runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Setting {
    /// Records or messages in one invocation at most (`BatchSize`).
    BatchSize,
    /// Seconds to wait for a full batch (`MaximumBatchingWindowInSeconds`).
    BatchingWindow,
    /// Whether the mapping invokes nothing.
    Paused,
    /// Partitions of which a source invokes nothing.
    PausedPartitions,
    /// Instances at one time at most (`ReservedConcurrentExecutions`).
    Concurrency,
    /// What the host logs, as `RUST_LOG` has it.
    Log,
}

/// The value of a setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum SettingValue {
    /// A count, or seconds.
    Number(u32),
    /// Yes or no.
    Flag(bool),
    /// Text.
    Text(String),
}

impl fmt::Display for SettingValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

impl SettingValue {
    /// The value, if it is a number.
    pub fn number(&self) -> Option<u32> {
        if let Self::Number(number) = self {
            Some(*number)
        } else {
            None
        }
    }
}

impl Setting {
    /// The name on the command line and in usher.toml.
    pub fn name(self) -> &'static str {
        match self {
            Self::BatchSize => "batch-size",
            Self::BatchingWindow => "batching-window",
            Self::Paused => "paused",
            Self::PausedPartitions => "paused-partitions",
            Self::Concurrency => "concurrency",
            Self::Log => "log",
        }
    }

    /// Parses a value. The bounds are the template's. A concurrency of 0 is refused, because
    /// waiting invocations would never end: pause the sources instead.
    ///
    /// # Errors
    /// The values that are accepted.
    pub fn read(self, text: &str) -> Result<SettingValue, ValueError> {
        match self {
            Self::BatchSize => number(text, 1..=10_000),
            Self::BatchingWindow => number(text.strip_suffix('s').unwrap_or(text), 0..=300),
            Self::Concurrency => number(text, 1..=1_000),
            Self::Paused => match text {
                "true" | "yes" | "on" => Ok(SettingValue::Flag(true)),
                "false" | "no" | "off" => Ok(SettingValue::Flag(false)),
                other => Err(ValueError::Flag(other.to_owned())),
            },
            // `TunableSettings` parses it, since the partitions depend on the mapping
            Self::PausedPartitions => Ok(SettingValue::Text(text.trim().to_owned())),
            Self::Log => match text.trim() {
                "" => Err(ValueError::NoLevel),
                text if text.len() > MAX_DIRECTIVES => Err(ValueError::TooLong {
                    max: MAX_DIRECTIVES,
                }),
                text if EnvFilter::try_new(text).is_err() => {
                    Err(ValueError::Directives(text.to_owned()))
                }
                text => Ok(SettingValue::Text(text.to_owned())),
            },
        }
    }
}

fn number(text: &str, bounds: RangeInclusive<u32>) -> Result<SettingValue, ValueError> {
    let number = text
        .trim()
        .parse()
        .ok()
        .filter(|number| bounds.contains(number));
    number
        .map(SettingValue::Number)
        .ok_or_else(|| ValueError::Number {
            low: *bounds.start(),
            high: *bounds.end(),
            text: text.to_owned(),
        })
}
