//! What the gate and the delay queue share: one connection to Redis, and the scripts that run over it.
//!
//! A verb builds a [`Call`] (a script, its one key, its arguments); the [`Link`] runs one or many calls in one round trip and hands
//! back their [`Reply`]s. It promises that
//!
//! - a verb ends within the response timeout, whatever Redis does: the answer, or [`LinkError::Unavailable`];
//! - a script that the server has forgotten (`SCRIPT FLUSH`, a restart, a failover) is loaded again, unseen by the caller;
//! - a connection found dead is replaced, and the call repeated once. Every script may be repeated.
//!
//! Every script gets exactly one key and derives the others from it within the same hash tag: what one call touches is on one node.

mod connection;
mod error;
mod reply;
mod script;

pub use connection::Link;
pub use error::LinkError;
pub(crate) use reply::Reply;
pub(crate) use script::{Call, Script};
