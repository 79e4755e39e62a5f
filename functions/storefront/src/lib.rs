//! The storefront: what buyers, promoters and the payment provider talk to.
//!
//! A request passes through here in this order:
//!
//! 1. [`http`]: the route is found, the body bounded and read; whatever is wrong with it is answered as a problem (RFC 9457);
//! 2. [`identity`]: the buyer is who the gateway's JWT authorizer says, and nobody else;
//! 3. [`programs`] or [`orders`] or [`payments`] or [`api_calls`] or [`parked`] or [`gaps`]: the concern itself;
//! 4. [`kafka`]: where an order is published, behind [`kafka::PublishOrders`];
//! 5. [`rebuild`]: carried on by any request that finds a program's gate missing or closed;
//! 6. [`emission`]: the call and its answer are sent on for the statistics, without being waited for;
//! 7. [`traces`]: what its spans say, where traces are wanted.
//!
//! Beside a request, now and then, [`barriers`] appends what the timeout-closer requests of Kafka.
//!
//! Beside the requests runs, where the settings say so, a follower: it hears of changed programs, so that what memory keeps of them is
//! never served longer than it is right.
//!
//! What it promises: an answer of 202 is given only after the broker has the order and the gate knows; every other end of a
//! request leaves either nothing held, or a reservation whose delay entry ends it. It never waits longer than its timeouts.

pub mod api_calls;
pub mod barriers;
pub mod emission;
pub mod gaps;
pub mod http;
pub mod identity;
pub mod kafka;
pub mod orders;
pub mod parked;
pub mod payments;
pub mod programs;
pub mod rebuild;
pub mod traces;

mod settings;
mod storefront;

pub use settings::{CallSettings, KafkaSecurity, Settings};
pub use storefront::{Clock, INSTANCE_HEADER, Storefront, SystemClock};
