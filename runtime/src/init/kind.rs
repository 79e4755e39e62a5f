//! Triggers and languages.

use clap::ValueEnum;

/// What invokes a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TriggerKind {
    /// A route of an HTTP API
    Http,
    /// A queue of SQS
    Sqs,
    /// A topic of Kafka
    Kafka,
    /// A stream of Redis
    Stream,
    /// A schedule
    Schedule,
}

/// What a function is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// Rust, with `lambda_runtime`, and lambda-batch for batches
    Rust,
    /// Go, with aws-lambda-go
    Go,
    /// Python, with its standard library alone
    Python,
    /// bash, with curl and jq
    Bash,
}

impl Language {
    /// The programs that building, testing and running a function need, beside `usher`.
    pub fn programs(self) -> &'static [&'static str] {
        match self {
            Self::Rust => &["cargo", "cc"],
            Self::Go => &["go"],
            Self::Python => &["python3"],
            Self::Bash => &["bash", "curl", "jq"],
        }
    }
}

/// A trigger and a language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// The trigger.
    pub trigger: TriggerKind,
    /// The language.
    pub language: Language,
}

impl Kind {
    /// Whether the function is built with the crate lambda-batch.
    pub(super) fn uses_lambda_batch(self) -> bool {
        self.language == Language::Rust && self.trigger.has_batches()
    }
}

impl TriggerKind {
    /// Whether events are batches, of which single items may fail.
    pub(super) fn has_batches(self) -> bool {
        matches!(self, Self::Sqs | Self::Kafka | Self::Stream)
    }
}
