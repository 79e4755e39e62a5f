//! The settings, and their bounds.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Serialize, Serializer};
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
    /// Time to wait for a full batch (`MaximumBatchingWindowInSeconds`), to the millisecond here.
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

/// The longest batching window, milliseconds: as in a template.
const MAX_WINDOW_MS: u32 = 300_000;

/// A time in milliseconds. Written as a number of seconds if it is whole, else as `20ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Milliseconds(u32);

impl Milliseconds {
    fn whole_seconds(self) -> Option<u32> {
        self.0.is_multiple_of(1_000).then_some(self.0 / 1_000)
    }
}

impl fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.whole_seconds() {
            Some(seconds) => seconds.fmt(f),
            None => write!(f, "{}ms", self.0),
        }
    }
}

impl Serialize for Milliseconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.whole_seconds() {
            Some(seconds) => serializer.serialize_u32(seconds),
            None => serializer.collect_str(self),
        }
    }
}

/// The value of a setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum SettingValue {
    /// A count.
    Number(u32),
    /// A time.
    Time(Milliseconds),
    /// Yes or no.
    Flag(bool),
    /// Text.
    Text(String),
}

impl fmt::Display for SettingValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Time(time) => time.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

impl SettingValue {
    /// The value of a time, rounded down to milliseconds.
    pub fn time(time: Duration) -> Self {
        Self::Time(Milliseconds(
            u32::try_from(time.as_millis()).unwrap_or(u32::MAX),
        ))
    }

    /// The value, if it is a time.
    pub fn duration(&self) -> Option<Duration> {
        if let Self::Time(Milliseconds(ms)) = self {
            Some(Duration::from_millis((*ms).into()))
        } else {
            None
        }
    }

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
            Self::BatchingWindow => window(text),
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

/// Whole seconds, as `2` or `2s`, or milliseconds, as `20ms`.
fn window(text: &str) -> Result<SettingValue, ValueError> {
    let text = text.trim();
    let (digits, unit_ms) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(digits), _) => (digits, 1),
        (None, Some(digits)) => (digits, 1_000),
        (None, None) => (text, 1_000),
    };
    let ms = digits.trim().parse::<u32>().ok();
    let ms = ms.and_then(|number| number.checked_mul(unit_ms));
    ms.filter(|ms| *ms <= MAX_WINDOW_MS)
        .map(|ms| SettingValue::Time(Milliseconds(ms)))
        .ok_or_else(|| ValueError::Window {
            high: MAX_WINDOW_MS / 1_000,
            text: text.to_owned(),
        })
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
