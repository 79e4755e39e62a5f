//! Publishes an [`ApiCall`](shared::api_calls::ApiCall) to Kafka for each request, beside the answer.
//!
//! ```text
//! request --Caller--> address, client, time
//! answer  --emit--> bounded queue --thread of librdkafka--> Kafka {env}-api-call
//! ```
//!
//! - A request waits neither for the broker nor for room in the queue: a call that finds the queue
//!   full is dropped, counted and reported.
//! - Calls share nothing with orders: they have their own producer, connections, queue and thread.
//! - In Lambda, which freezes a process after its answer, the answer waits for the delivery for a
//!   bounded time. After a wait that timed out no answer waits until a delivery has succeeded.
//!
//! The producer is idempotent with acks=all: a retry duplicates no call, and the loss of one broker
//! loses none. A call that is not delivered in time counts as dropped.

mod caller;
mod counter;
mod emitter;

pub use caller::Caller;
pub use counter::DeliveryCounts;
pub use emitter::Emitter;
