//! What can be set on what, and within which bounds.

use std::fmt;
use std::ops::RangeInclusive;

use serde::Serialize;
use tracing_subscriber::EnvFilter;

/// A thing that has settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
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

/// A setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Knob {
    /// Records or messages in one invocation at most (`BatchSize`).
    BatchSize,
    /// Seconds to wait for a full batch (`MaximumBatchingWindowInSeconds`).
    BatchingWindow,
    /// Whether the source is left alone.
    Paused,
    /// Partitions of a Kafka mapping that are left alone.
    PausedPartitions,
    /// Instances at one time at most (`ReservedConcurrentExecutions`).
    Concurrency,
    /// What the host logs, as `RUST_LOG` has it.
    Log,
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Value {
    /// A count, or seconds.
    Number(u32),
    /// Yes or no.
    Flag(bool),
    /// Text.
    Text(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Flag(flag) => flag.fmt(f),
            Self::Text(text) => text.fmt(f),
        }
    }
}

impl Value {
    /// The number that it is.
    pub fn number(&self) -> Option<u32> {
        if let Self::Number(number) = self {
            Some(*number)
        } else {
            None
        }
    }

    /// Whether it is a yes.
    pub fn is_on(&self) -> bool {
        *self == Self::Flag(true)
    }
}

impl Knob {
    const ALL: [Self; 6] = [
        Self::BatchSize,
        Self::BatchingWindow,
        Self::Paused,
        Self::PausedPartitions,
        Self::Concurrency,
        Self::Log,
    ];

    /// As users write it.
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

    /// The settings that a subject has.
    pub fn of(subject: Subject) -> &'static [Self] {
        match subject {
            Subject::Kafka => &[
                Self::BatchSize,
                Self::BatchingWindow,
                Self::Paused,
                Self::PausedPartitions,
            ],
            Subject::Queue { .. } => &[Self::BatchSize, Self::BatchingWindow, Self::Paused],
            Subject::Function => &[Self::Concurrency],
            Subject::Host => &[Self::Log],
        }
    }

    /// The setting of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|knob| knob.name() == name)
    }

    /// Reads a value. The bounds are those of the template; a concurrency of 0 is not among them, because what waits would
    /// never end: pause the sources instead.
    ///
    /// # Errors
    /// What may be written instead.
    pub fn read(self, text: &str) -> Result<Value, String> {
        match self {
            Self::BatchSize => number(text, 1..=10_000),
            Self::BatchingWindow => number(text.strip_suffix('s').unwrap_or(text), 0..=300),
            Self::Concurrency => number(text, 1..=1_000),
            Self::Paused => match text {
                "true" | "yes" | "on" => Ok(Value::Flag(true)),
                "false" | "no" | "off" => Ok(Value::Flag(false)),
                other => Err(format!("must be true or false, not '{other}'")),
            },
            // which there are depends on the mapping
            Self::PausedPartitions => Ok(Value::Text(text.trim().to_owned())),
            Self::Log => match text.trim() {
                "" => Err("must name a level, such as info or debug".to_owned()),
                text if text.len() > 500 => Err("is too long: 500 characters at most".to_owned()),
                text if EnvFilter::try_new(text).is_err() => Err(format!(
                    "must be a level, such as info or debug, or directives such as info,usher=debug, not '{text}'"
                )),
                text => Ok(Value::Text(text.to_owned())),
            },
        }
    }
}

fn number(text: &str, bounds: RangeInclusive<u32>) -> Result<Value, String> {
    let number = text
        .trim()
        .parse()
        .ok()
        .filter(|number| bounds.contains(number));
    let low = bounds.start();
    let high = bounds.end();
    number
        .map(Value::Number)
        .ok_or_else(|| format!("must be a whole number from {low} to {high}, not '{text}'"))
}
