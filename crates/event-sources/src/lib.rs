#![doc = include_str!("../README.md")]

pub mod asynchronous;
pub mod filter;
pub mod health;
pub mod kafka;
pub mod queue;
pub mod redis_stream;
mod response;
mod settings;
pub mod stream;
pub mod suggestion;

use std::time::Duration;

pub use response::ResponseError;
pub use settings::SourceSettings;

/// Milliseconds since 1970, on a clock that only steps forward.
pub type Millis = i64;

/// How the invocation of a batch ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BatchResult<T> {
    /// The function answered; these records or messages failed.
    Answered(Vec<T>),
    /// The function failed, or its answer is malformed: the whole batch failed.
    Failed,
    /// The function did not begin (throttled, shutting down), or the host ended the invocation.
    /// Uses up no retry.
    NotInvoked,
}

/// Identifies an invocation between the action that starts it and the input that reports its end.
pub type InvocationId = u64;

fn millis(duration: Duration) -> Millis {
    duration.as_millis().min(i64::MAX as u128) as Millis
}

/// The wait after a failure: `first`, doubled with every further failure, at most `max`.
fn backoff(first: Duration, max: Duration, failures: u32) -> Millis {
    let doubled = first.saturating_mul(1 << failures.saturating_sub(1).min(20));
    millis(doubled.min(max))
}
