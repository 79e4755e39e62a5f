//! Sources of events: each reads from somewhere and invokes functions.

pub mod asynchronous;
pub mod kafka;
pub mod mapping;
pub mod schedule;
pub mod sqs;
