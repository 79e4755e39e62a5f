//! A Lambda event becomes records.
//!
//! [`kafka::Batch`] decodes while the event is being deserialised, into one buffer of its own; [`schedule::Tick`] reads what both
//! schedule services send; [`sqs::Batch`] owns the messages of a queue. What arrives is what the world sends, not what its documentation says: **one odd record never fails
//! its batch**; it becomes a record that says what is odd about it, with its bytes, so that it can be parked.

mod content;
pub mod kafka;
pub mod schedule;
pub mod sqs;
