//! Serves HTTP APIs: a request becomes an event, the function's answer a response.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::invocation::Invoker;
use crate::model::HttpApi;

/// The public keys that JWT authorizers verify against (a JWKS file).
#[derive(Debug)]
pub struct KeySet {}

/// Serves one API on an open listener until `shutdown` turns true, then finishes the requests in flight and returns.
///
/// # Errors
/// A route with an authorizer and no key set is refused before anything is served.
pub async fn serve(
    _api: HttpApi,
    _listener: TcpListener,
    _keys: Option<Arc<KeySet>>,
    _invoker: Invoker,
    _shutdown: watch::Receiver<bool>,
) -> Result<(), String> {
    todo!()
}
