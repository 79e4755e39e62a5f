//! The stream-bridge: carries a Redis stream to an SQS queue, for those who have no other way to read it: Lambda knows no Redis Streams.
//!
//! An entry passes through here in this order:
//!
//! 1. [`bridge`]: a run reads entries as a consumer of the group, under a name of its own, until its time is up or it is told to stop;
//! 2. [`translate`]: an entry becomes a message, or is set aside because no message can carry it;
//! 3. [`send`]: messages go out in requests of at most 10 and 1 MiB; what SQS accepted is acknowledged, and exactly that.
//!
//! What it promises: an entry is acknowledged only after SQS has it, or after it was set aside with its reason. Killed anywhere, or
//! with SQS or Redis away, nothing is lost and something may be sent twice. Runs that overlap share the group. Of a FIFO queue's message
//! group nothing is sent past a failure, and only one run at a time has a batch under way, so the order holds.

pub mod bridge;
pub mod send;
pub mod translate;

mod settings;
mod stop;

pub use bridge::{Bridge, Report};
pub use settings::{Mode, Settings};
pub use stop::Stop;
