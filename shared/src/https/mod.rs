//! A small HTTP client: HTTP/1.1 over TLS or not, one request at a time, on a persistent connection.
//!
//! A pooling client would bring HTTP/2 into every function. The export of traces, the refunds and the
//! files of API calls use this one.

mod address;
mod client;
mod connection;
pub(crate) mod tls;

pub use address::{Address, AddressError};
pub(crate) use client::chain;
pub use client::{Client, HttpsError, HttpsResponse};
pub(crate) use connection::{BoxError, Connection};
pub use tls::TlsError;
