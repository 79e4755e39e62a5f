//! SQS: messages sent in batches.
//!
//! Messages pass through here in this order: a [`NewMessage`] knows its size as SQS counts it; [`batches`] cuts a list into what one
//! request may carry; [`Queue::send`] sends such a batch and says of each message what became of it ([`Sent`]).
//!
//! What it promises: a message is called accepted only if SQS said so. After an error nothing is known of the batch: sending
//! it again may deliver a message twice, never lose one.

mod batches;
mod error;
mod message;
mod queue;

pub use batches::batches;
pub use error::SqsError;
pub use message::{Fifo, NewMessage, Sent, TooLarge};
pub use queue::Queue;

/// Messages of one request at most.
pub const MAX_BATCH: usize = 10;
/// Bytes of one message at most, and of all messages of a request together.
pub const MAX_BYTES: usize = 1024 * 1024;
