//! Lambda's Invoke API (2015-03-31), as far as a caller of functions needs it: the AWS command
//! line, the SDKs, functions that call each other, and `usher invoke`.
//!
//! A request passes through these files in this order: `admission` checks that the caller may call
//! functions; `name` finds the function; `request` reads the operation; `handler` runs the function
//! or hands the event to [`crate::sources::asynchronous`]; `answer` builds the response that the service
//! would send. [`crate::client::InvokeClient`] is the client of a running host.
//!
//! Guarantees: callers from other machines need a token; no page of a browser can call a function;
//! an event that was answered with 202 is on disk. Signatures of requests are not checked.

mod admission;
mod answer;
mod client_context;
mod handler;
mod name;
mod request;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::sync::watch;

use crate::instances::Logs;
use crate::invocation::Invoker;
use crate::listener::{Listener, ListenerClosed};
use crate::sources::asynchronous::AsyncQueue;
use sam_template::model::{Function, Location, SkippedFunction};

pub use admission::{InvokeToken, MIN_TOKEN_LENGTH};

#[cfg(test)]
pub(crate) use name::function_fixture;

/// The function of this name, ARN or logical id, with or without a qualifier.
pub fn function<'f>(
    written: &str,
    functions: &'f BTreeMap<String, Function>,
) -> Option<&'f Function> {
    name::find(written, None, functions)
        .ok()
        .map(|(function, _)| function)
}

/// The default address, which is that of `sam local start-lambda`.
pub const DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3001);

/// The header by which `usher invoke` names the run of the host that it means.
pub(crate) const HOST_ID_HEADER: &str = "x-usher-host";

/// What the API needs of its host.
#[derive(Clone)]
pub struct InvokeApi {
    /// By logical id.
    pub functions: BTreeMap<String, Function>,
    /// Functions that this host cannot run, by logical id.
    pub skipped: BTreeMap<String, SkippedFunction>,
    /// Region and account of ARNs in responses.
    pub location: Location,
    /// Runs functions.
    pub invoker: Invoker,
    /// Stores asynchronous events.
    pub queue: AsyncQueue,
    /// Log lines of the functions, for callers that request the last ones.
    pub logs: Logs,
    /// What callers of other machines must send; `None`: they are refused.
    pub token: Option<InvokeToken>,
    /// Identifies this run.
    pub host_id: String,
}

/// Serves until `shutdown` turns true, then waits for the open requests. The pool bounds that time:
/// it ends the invocations of a drain.
pub(crate) async fn serve(
    listener: Listener,
    api: InvokeApi,
    shutdown: watch::Receiver<bool>,
) -> Result<(), ListenerClosed> {
    let api = Arc::new(api);
    let handle = move |request, connection| handler::handle(api.clone(), request, connection);
    listener.serve(shutdown, handle).await
}
