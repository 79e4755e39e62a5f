#![doc = include_str!("../README.md")]

mod access;
mod address;
mod blocking;
mod cluster;
mod connect;
mod error;
mod eviction;
mod failover;
mod info;
mod library;
mod link;
mod login;
mod node;
mod options;
mod probe;
mod refusal;
mod reply;
mod scan;
mod script;
mod sentinel;
mod shared_connection;
mod socket;
mod subscription;
mod tcp;
mod tls;
mod write_guard;

pub use blocking::BlockingConnection;
pub use error::{InvalidArgument, LinkError};
pub use eviction::Eviction;
pub use failover::is_stream_deleted;
pub use link::Link;
pub use login::{FixedLogin, Login, LoginError, LoginSource};
pub use options::{ClientCertificate, LinkOptions, SettingNames, TlsMaterial};
pub use refusal::{Refusal, RefusalReason};
pub use reply::Reply;
pub use script::{Call, Script};
pub use subscription::Subscription;
pub use write_guard::WriteGuard;

/// A script fragment `(name, text)` with the function `server_replid()`: the replication id of the
/// server, which changes with every restart and failover. On a replica the function raises an
/// error.
pub const SERVER_FRAGMENT: (&str, &str) = ("link/server", include_str!("lua/server.lua"));
