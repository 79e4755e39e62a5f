//! What every request leaves behind: an [`ApiCall`](shared::message::ApiCall), sent to Kafka beside the answer.
//!
//! ```text
//! request --Caller--> who, from where, when
//! answer  --emit--> a bounded queue --librdkafka's own thread--> Kafka {env}-api-call
//! ```
//!
//! Promises:
//! - A request never waits for the broker, nor for room in the queue: what finds no room is dropped, counted and reported.
//! - Nothing here is shared with orders: a producer of its own, with its own connections, queue and thread.
//! - Inside Lambda, where a process is frozen once it has answered, the answer waits for the delivery for a bounded time, and only while
//!   waiting has a chance: after a wait in vain none waits until a delivery has come.
//!
//! Nobody waits for an acknowledgement, so the producer is an idempotent one with acks=all: its retries make no call twice, and a broker
//! that dies loses none. A call that was not delivered in time counts as dropped.

mod caller;
mod emitter;
mod tally;

pub use caller::Caller;
pub use emitter::Emitter;
pub use tally::Counts;
