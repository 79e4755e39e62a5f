//! The HTTP API of the ticket sale, for buyers, promoters, operators and the payment provider.
//!
//! A request passes through these modules:
//!
//! 1. [`http`] reads it, bounds its body and finds its [`http::Route`]; an error is answered as a
//!    problem document (RFC 9457).
//! 2. [`identity`] takes the caller from the claims that the gateway's JWT authorizer verified.
//! 3. [`limits`] refuses a buyer or an address with too many orders or look-ups.
//! 4. One of [`programs`], [`waiting_room`], [`orders`], [`payments`], [`refunds`], [`api_calls`],
//!    [`parked`] or [`gaps`] handles it.
//! 5. [`admission`] refuses orders while order-create stores none. [`kafka`] publishes an order,
//!    behind the trait [`kafka::PublishOrders`].
//! 6. [`rebuild`] fills the gate of a program whose state Redis has lost.
//! 7. [`emission`] publishes the API call for the statistics; no request waits for it.
//! 8. `traces` describes the spans of the request.
//!
//! Beside the requests, [`barriers`] appends what the timeout-closer requests, and a task follows
//! the stream of changed programs, so that no cached program is served after it has changed.
//!
//! Promises: an answer of 202 is given only after the broker has acknowledged the order and the
//! gate has recorded that. A request that ends otherwise holds no seats, or holds them by a
//! reservation whose delay entry ends it. No request takes longer than its timeouts.

pub mod admission;
pub mod api_calls;
pub mod barriers;
pub mod emission;
pub mod gaps;
pub mod http;
pub mod identity;
pub mod kafka;
pub mod limits;
pub mod orders;
pub mod parked;
pub mod payments;
pub mod programs;
pub mod rebuild;
pub mod refunds;
mod traces;
pub mod waiting_room;

mod app;
mod counts;
mod router;
mod settings;
mod settle;

pub use app::App;
pub use router::INSTANCE_HEADER;
pub use settings::{CallSettings, KafkaSecurity, Settings, WaitSettings};
