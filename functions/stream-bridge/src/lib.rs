//! stream-bridge: forwards a Redis stream to an SQS queue. Lambda has no trigger for Redis Streams.
//!
//! 1. [`bridge`]: a run reads entries as a consumer of the group, until its time is over or it is
//!    stopped.
//! 2. [`translate`]: an entry becomes a message, or is parked because no message can represent it.
//! 3. [`send`]: requests of at most 10 messages and 1 MiB; only what SQS accepted is acknowledged.
//!
//! An entry is acknowledged only after SQS has accepted it, or after it was parked with its reason.
//! When the process is killed, or SQS or Redis is down, nothing is lost, and a message may be sent
//! twice. Overlapping runs share the group. In a FIFO queue's message group no message is sent
//! after a failed one, and only one run has a batch in flight, so the order is kept.

pub mod bridge;
pub mod send;
pub mod translate;

mod settings;
mod stop;

pub use bridge::{Bridge, Report};
pub use settings::{Mode, Settings};
pub use stop::Stop;
