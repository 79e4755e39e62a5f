#![doc = include_str!("../README.md")]

mod address;
mod blocking;
mod connection;
mod error;
mod eviction;
mod failover;
mod library;
mod reply;
mod script;
mod shared_connection;
mod subscription;

pub use blocking::BlockingConnection;
pub use connection::Link;
pub use error::{InvalidArgument, LinkError};
pub use eviction::Eviction;
pub use failover::is_stream_deleted;
pub use reply::Reply;
pub use script::{Call, Script};
pub use subscription::Subscription;

/// A script fragment `(name, text)` with the function `server_replid()`: the replication id of the
/// server, which changes with every restart and failover. On a replica the function raises an
/// error.
pub const SERVER_FRAGMENT: (&str, &str) = ("link/server", include_str!("lua/server.lua"));
