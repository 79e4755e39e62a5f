//! Lambda's Invoke API (2015-03-31), as far as a caller of functions needs it: the AWS command line, the SDKs, functions that
//! call each other, and `usher invoke`.
//!
//! A request passes through these files in this order: `admission` (may this caller ask at all), `name` (which function is
//! meant), `request` (what is asked of it), `handler` (it is run, or taken over by [`crate::asynchronous`]), `answer` (what the
//! service would say). `client` asks a running host, found by the file of `beacon`; `definition` says
//! whether that host runs a function as a command's arguments say.
//!
//! Promises: loopback only, unless a token guards it; no page of a browser can call a function; an event that was answered
//! with 202 is on disk; signatures of requests are not checked, whatever they are.

mod admission;
mod answer;
mod beacon;
mod client;
mod client_context;
mod definition;
mod handler;
mod name;
mod request;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::asynchronous::Queue;
use crate::connections::places::Places;
use crate::connections::{self, Rules};
use crate::instances::Logs;
use crate::invocation::Invoker;
use crate::model::{Function, Location, SkippedFunction};

pub use admission::{LEAST_TOKEN, Token};
pub use beacon::{Beacon, Definitions};
pub use client::{Answer, Asked, Client};

/// The function of this name, ARN or logical id, with or without a qualifier.
pub fn function<'f>(
    written: &str,
    functions: &'f BTreeMap<String, Function>,
) -> Option<&'f Function> {
    name::find(written, None, functions)
        .ok()
        .map(|(function, _)| function)
}

/// Where it listens unless told otherwise: where `sam local start-lambda` does.
pub const DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 3001);

/// The header by which `usher invoke` says which host it means.
const HOST_ID: &str = "x-usher-host";

/// What the API needs of its host.
#[derive(Clone)]
pub struct Api {
    /// By logical id.
    pub functions: BTreeMap<String, Function>,
    /// Functions that this host cannot run, by logical id.
    pub skipped: BTreeMap<String, SkippedFunction>,
    /// Region and account of ARNs in answers.
    pub location: Location,
    /// Runs functions.
    pub invoker: Invoker,
    /// Takes events over.
    pub queue: Queue,
    /// Where the functions' lines pass.
    pub logs: Logs,
    /// What callers of other machines must bring; `None`: they are refused.
    pub token: Option<Token>,
    /// Identifies this run.
    pub host_id: String,
}

/// Serves until `shutdown` turns true, then finishes the requests in flight. Those of invocations that the pool ends are
/// answered as well: how long the requests of a drain take is for the pool to say.
pub(crate) async fn serve(
    listener: TcpListener,
    api: Api,
    places: Places,
    shutdown: watch::Receiver<bool>,
) {
    let api = Arc::new(api);
    connections::serve(
        listener,
        places,
        Rules::default(),
        shutdown,
        move |request, peers| {
            let api = api.clone();
            async move { handler::handle(&api, request, peers).await }
        },
    )
    .await;
}
