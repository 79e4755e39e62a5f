#![doc = include_str!("../README.md")]

pub mod asynchronous;
pub mod filter;
pub mod health;
pub mod kafka;
pub mod queue;
mod settings;
pub mod stream;
pub mod suggestion;

pub use settings::SourceSettings;

/// Milliseconds since 1970, on a clock that only steps forward.
pub type Millis = i64;

/// Identifies an invocation between the action that starts it and the input that reports its end.
pub type InvocationId = u64;
