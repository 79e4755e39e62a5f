//! SQS events of Lambda.
//!
//! Tolerated, each on its own message: a body that is missing or not text, attributes that are
//! missing, null or of any other type, counts as numbers or as text, unknown fields. An event is
//! refused as a whole only if it is not an SQS event, or if a message has no id: the response could
//! not name it.

mod decode;
mod message;

#[cfg(test)]
mod tests;

pub use message::{MessageBody, SqsBatch, SqsMessage};
