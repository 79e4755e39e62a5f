//! Amazon SQS as a pure state machine, for one machine: a first project, tests, a laptop.
//!
//! A call passes through these modules in this order: [`Request::parse`] reads the body of the AWS
//! JSON protocol; [`Queues::call`] applies it; [`Response::to_json`] or [`ApiError::to_json`] is
//! the body of the answer. [`Queues::take_changes`] returns what a store has to write before the
//! answer may be sent, and [`Queues::restore`] continues with what such a store holds.
//!
//! The time (milliseconds since 1970) and random numbers are parameters. The caller provides the
//! socket, the wait of a long poll ([`Queues::wait_time`], [`Queues::next_visible`]) and the store.
//!
//! ```
//! use embedded_sqs::{Context, Location, Queues, Request, Response};
//!
//! let mut queues = Queues::new(Location {
//!     url: "http://127.0.0.1:18324".into(),
//!     region: "eu-central-1".into(),
//!     account: "123456789012".into(),
//! });
//! let mut random = 0;
//! let mut context = Context {
//!     now: 1_700_000_000_000,
//!     random: &mut || { random += 1; random },
//! };
//! let request = Request::parse("AmazonSQS.CreateQueue", br#"{"QueueName": "guests"}"#)?;
//! let answer = queues.call(&request, &mut context)?.to_json();
//! assert_eq!(answer, br#"{"QueueUrl":"http://127.0.0.1:18324/123456789012/guests"}"#);
//! # Ok::<(), embedded_sqs::ApiError>(())
//! ```

#![forbid(unsafe_code)]

mod attributes;
mod change;
mod digest;
mod error;
mod limits;
mod message;
mod queue;
mod request;
mod response;
mod service;

pub use attributes::{QueueAttributes, RedrivePolicy};
pub use change::{Change, Deduplication, QueueId, QueueRecord, Stored};
pub use error::{ApiError, ErrorKind};
pub use limits::MAX_REQUEST;
pub use message::{Attribute, Content, Delivery, MessageNumber};
pub use request::Request;
pub use response::Response;
pub use service::{Context, Location, Queues};

/// Milliseconds since 1970.
pub type Millis = u64;
