//! Serves HTTP APIs, REST APIs and function URLs: a request becomes an event, the function's answer a response.
//!
//! A request passes through: `connections` (limits against slow clients) - [`cors`] or [`preflight`] (OPTIONS) -
//! [`router`] (which route) - [`throttle`] (not too many of them) - [`authorizer`] with [`token`] and [`keys`] (may this token use it; [`key_store`] keeps the keys current, [`fetch`] reads a URL) - [`event`] (the JSON the function
//! sees, by payload format) - the invoker - [`answer`] (what the function meant, by payload format). [`handler`] is that
//! chain; [`refusal`] is the table of answers that the services give by themselves; [`media`] says which bodies of a REST
//! API travel as base64; [`failed`] writes the line of the log that a failed call leaves.
//!
//! Promises: a route with an authorizer is never served without keys to check tokens with; no header or body of a
//! client can hold a connection for ever; a request that was accepted is answered even while the host drains.

mod answer;
mod authorizer;
mod cors;
pub(crate) mod decode;
mod event;
mod failed;
mod fetch;
mod handler;
mod key_store;
mod keys;
mod media;
mod preflight;
mod refusal;
mod router;
mod throttle;
mod token;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::connections::places::Places;
use crate::connections::{self, Rules};
use crate::invocation::Invoker;
use crate::model::Api;

pub use key_store::{KeyStatus, KeyStore, Refresh};
pub use keys::KeySet;

/// Most bytes of a request's body (quota "Payload size" of HTTP and REST APIs; a function URL
/// takes 6 MB, which the limit of the event keeps).
pub const MAX_BODY: usize = 10 * 1024 * 1024;

/// Requests in flight may take as long as the longest route once the host drains.
const DRAIN: Duration = Duration::from_secs(30);

/// Connections and bytes of bodies where an API is served by itself.
const ALONE: (usize, usize) = (512, 64 * 1024 * 1024);

/// Serves one API by itself: see [`serve_within`].
///
/// # Errors
/// As [`serve_within`].
pub async fn serve(
    api: Api,
    listener: TcpListener,
    keys: Option<Arc<KeyStore>>,
    invoker: Invoker,
    shutdown: watch::Receiver<bool>,
) -> Result<(), String> {
    serve_within(
        Places::new("HTTP", ALONE.0, ALONE.1),
        api,
        listener,
        keys,
        invoker,
        shutdown,
    )
    .await
}

/// Serves one API on an open listener, within a budget of connections that other ports share, until `shutdown` turns true; then
/// finishes the requests in flight and returns.
///
/// # Errors
/// A route with an authorizer and no key set is refused before anything is served.
pub(crate) async fn serve_within(
    places: Places,
    api: Api,
    listener: TcpListener,
    keys: Option<Arc<KeyStore>>,
    invoker: Invoker,
    shutdown: watch::Receiver<bool>,
) -> Result<(), String> {
    let handler = Arc::new(handler::Handler::new(api, keys, invoker)?);
    let rules = Rules {
        drain: Some(DRAIN),
        ..Rules::default()
    };
    connections::serve(listener, places, rules, shutdown, move |request, peers| {
        let handler = handler.clone();
        async move { handler.handle(request, peers).await }
    })
    .await;
    Ok(())
}

/// Whether this API can be served with or without keys for tokens; looked at before anything starts.
///
/// # Errors
/// The sentence to show, naming the first route that would stand open.
pub fn check(api: &Api, has_keys: bool) -> Result<(), String> {
    match api.routes.iter().find(|route| route.authorizer.is_some()) {
        Some(route) if !has_keys => Err(format!(
            "API {}: the route {} {} has the authorizer {}, and there are no keys to check its tokens with. Say --jwks FILE (a \
             JWKS file, or its URL), or write jwks = \"FILE\" in usher.toml.",
            api.id,
            route.method,
            route.path,
            route.authorizer.as_deref().unwrap_or_default()
        )),
        _ => Ok(()),
    }
}
