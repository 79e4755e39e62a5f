//! SQS events of Lambda: the messages of a queue.
//!
//! Tolerated, each on its own message: a body that is missing or no text, attributes that are missing, null or of any other kind,
//! counts as numbers or as text, unknown fields. An event is refused as a whole only if it is no SQS event, or if a
//! message has no id: it could not be named in the response then.

mod decode;
mod message;

#[cfg(test)]
mod tests;

pub use message::{Body, SqsBatch, SqsMessage};
