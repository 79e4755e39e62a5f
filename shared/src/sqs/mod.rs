//! Sends messages to SQS in batches.
//!
//! [`NewMessage`] computes its size as SQS counts it, [`batches`] splits a list into requests, and
//! [`Queue::send`] sends one request and returns the result of each message ([`Sent`]).
//!
//! A message counts as accepted only if SQS confirmed it. After an error the state of the batch is
//! unknown: sending it again may deliver a message twice, but never loses one.

mod access;
mod batches;
mod error;
mod message;
mod queue;

pub use access::SqsAccess;
pub use batches::batches;
pub use error::SqsError;
pub use message::{Fifo, NewMessage, Sent, TooLarge};
pub use queue::Queue;

/// Maximum number of messages in a request.
pub const MAX_BATCH: usize = 10;
/// Maximum size in bytes of a message, and of all messages in a request.
pub const MAX_BYTES: usize = 1024 * 1024;
