//! Serves HTTP APIs, REST APIs and function URLs: a request becomes an event, the function's answer
//! a response.
//!
//! A request passes through: [`crate::listener`] (limits against slow clients), [`cors`] or
//! [`preflight`] (OPTIONS), [`router`] (finds the route), [`throttle`] (rate limit of the route),
//! [`authorizer`] with [`token`] and [`keys`] (checks the token; [`key_store`] refreshes the keys),
//! [`event`] (builds the event by payload format), the invoker, and [`answer`] (builds the response
//! by payload format). [`handler`] is that chain; [`refusal`] is the table of responses that the
//! service sends in the function's place; [`media`] selects the bodies of a REST API that travel as
//! base64; [`failed`] logs a failed call.
//!
//! Guarantees: a route with an authorizer is never served without keys to check tokens with; no
//! head or body of a client can hold a connection for ever; an accepted request is answered even
//! while the host drains.

mod answer;
mod authorizer;
mod cors;
pub(crate) mod decode;
mod event;
mod failed;
mod handler;
mod invalid_token;
mod key_store;
mod keys;
mod media;
mod preflight;
mod refusal;
mod router;
mod throttle;
mod token;
mod verified;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::instances::HttpLog;
use crate::invocation::Invoker;
use crate::listener::{Listener, ListenerClosed, ListenerPolicy};
use sam_template::model::{Api, Route};

pub use key_store::{KeyStatus, KeyStore, KeyStoreError, RefreshIntervals};
pub use keys::KeySetError;

/// A route with an authorizer, and no keys to check its tokens with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "API {api}: the route {method} {path} has the authorizer {authorizer}, and there are no keys \
     to check its tokens with. Say --jwks FILE (a JWKS file, or its URL), or write jwks = \
     \"FILE\" in usher.toml."
)]
pub struct UnguardedRoute {
    /// Logical id.
    pub api: String,
    /// Method of the route.
    pub method: String,
    /// Path of the route.
    pub path: String,
    /// Name of the authorizer.
    pub authorizer: String,
}

/// Why an API is not served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A route would be open to everyone.
    #[error(transparent)]
    Unguarded(#[from] UnguardedRoute),
    /// Its port is closed.
    #[error(transparent)]
    Closed(#[from] ListenerClosed),
}

/// Bytes of a request's body at most (quota "Payload size" of HTTP and REST APIs; the size of an
/// event limits a function URL to 6 MB).
pub const MAX_BODY: usize = 10 * 1024 * 1024;

/// Time for open requests once the host drains: that of the longest route.
const DRAIN: Duration = Duration::from_secs(30);

/// Serves one API until `shutdown` turns true, then waits for the open requests.
///
/// # Errors
/// A route with an authorizer and no key set is refused before anything is served; the listener is
/// closed.
pub async fn serve(
    api: Api,
    listener: Listener,
    keys: Option<Arc<KeyStore>>,
    invoker: Invoker,
    log: HttpLog,
    shutdown: watch::Receiver<bool>,
) -> Result<(), ServeError> {
    let handler = Arc::new(handler::ApiHandler::new(api, keys, invoker, log)?);
    let listener = listener.with_policy(ListenerPolicy {
        drain: Some(DRAIN),
        ..ListenerPolicy::default()
    });
    let handle = move |request, connection| handler.clone().handle(request, connection);
    Ok(listener.serve(shutdown, handle).await?)
}

/// Checks before the start that every route with an authorizer has keys to check tokens with.
///
/// # Errors
/// The first route that would be open.
pub fn check(api: &Api, has_keys: bool) -> Result<(), UnguardedRoute> {
    let guarded = |route: &&Route| route.authorizer.is_some();
    match api.routes.iter().find(guarded) {
        Some(route) if !has_keys => Err(UnguardedRoute {
            api: api.id.clone(),
            method: route.method.clone(),
            path: route.path.clone(),
            authorizer: route.authorizer.clone().unwrap_or_default(),
        }),
        _ => Ok(()),
    }
}
