//! What the gate, the delay queue and the streams share: one connection to Redis, and the scripts that run over it.
//!
//! A verb builds a [`Call`] (a script, its one key, its arguments); the [`Link`] runs one or many calls in one round trip and hands
//! back their [`Reply`]s. It promises that
//!
//! - a verb ends within the response timeout, whatever Redis does: the answer, or [`LinkError::Unavailable`];
//! - a script that the server has forgotten (`SCRIPT FLUSH`, a restart, a failover) is loaded again, unseen by the caller;
//! - a connection found dead is replaced, and the call repeated. Every script may be repeated;
//! - so is a connection that leads to a server which is a replica by now, is loading, or refuses for want of its peers (`unfit`), and
//!   one over which nothing was answered in time. Its caller gets [`LinkError::Unavailable`] unless the call could be repeated in time;
//! - what waits or listens on connections of its own ([`Waiting`], [`subscription::Subscription`]) leaves the old server together with the shared one.
//!
//! A read that waits at the server for something to come has a connection of its own ([`Waiting`]): on the shared one it would hold up
//! everybody else, and the response timeout would cut it.
//!
//! Every script gets exactly one key and derives the others from it within the same hash tag: what one call touches is on one node.

mod address;
mod connection;
mod error;
mod eviction;
mod reply;
mod script;
mod shared_connection;
mod subscription;
mod unfit;
mod waiting;

pub use connection::Link;
pub use error::LinkError;
pub use eviction::{Eviction, Keeps};
pub(crate) use reply::Reply;
pub(crate) use script::{Call, Script};
pub(crate) use unfit::stream_is_gone;
pub(crate) use waiting::Waiting;

/// The fragment that tells one data set of Redis from another, by the name that `--@include` lines use.
pub(crate) const SERVER_FRAGMENT: (&str, &str) = ("link/server", include_str!("lua/server.lua"));
