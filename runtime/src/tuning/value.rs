//! The settings, and their bounds.

use std::fmt;
use std::ops::RangeInclusive;

use serde::Serialize;
use tracing_subscriber::EnvFilter;

/// The kinds of targets that have settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SettingTarget {
    /// A mapping of a Kafka topic.
    Kafka,
    /// A mapping of a queue.
    Queue {
        /// It keeps the order within message groups.
        fifo: bool,
    },
    /// A function.
    Function,
    /// The host.
    Host,
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
    /// Partitions of which a Kafka mapping invokes nothing.
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
    pub fn read(self, text: &str) -> Result<SettingValue, String> {
        match self {
            Self::BatchSize => number(text, 1..=10_000),
            Self::BatchingWindow => number(text.strip_suffix('s').unwrap_or(text), 0..=300),
            Self::Concurrency => number(text, 1..=1_000),
            Self::Paused => match text {
                "true" | "yes" | "on" => Ok(SettingValue::Flag(true)),
                "false" | "no" | "off" => Ok(SettingValue::Flag(false)),
                other => Err(format!("must be true or false, not '{other}'")),
            },
            // `TunableSettings` parses it, since the partitions depend on the mapping
            Self::PausedPartitions => Ok(SettingValue::Text(text.trim().to_owned())),
            Self::Log => match text.trim() {
                "" => Err("must name a level, such as info or debug".to_owned()),
                text if text.len() > 500 => Err("is too long: 500 characters at most".to_owned()),
                text if EnvFilter::try_new(text).is_err() => Err(format!(
                    "must be a level, such as info or debug, or directives such as \
                     info,usher=debug, not '{text}'"
                )),
                text => Ok(SettingValue::Text(text.to_owned())),
            },
        }
    }
}

fn number(text: &str, bounds: RangeInclusive<u32>) -> Result<SettingValue, String> {
    let number = text
        .trim()
        .parse()
        .ok()
        .filter(|number| bounds.contains(number));
    let low = bounds.start();
    let high = bounds.end();
    number
        .map(SettingValue::Number)
        .ok_or_else(|| format!("must be a whole number from {low} to {high}, not '{text}'"))
}
