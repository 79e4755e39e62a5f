//! The host's HTTP client.
//!
//! [`ControlClient`] calls the control port of a running host, [`InvokeClient`] its Invoke API;
//! [`fetch_document`] reads a document, such as a key set, from any server. Each sends one request
//! per connection, follows no redirect, and reads a response of bounded size.

mod control;
mod document;
mod invoke;

use std::error::Error;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, request};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::TokioExecutor;

use crate::waiting::within;
pub use control::{ControlClient, ControlReply};
pub use document::FetchError;
pub(crate) use document::fetch_document;
pub use invoke::{InvokeAnswer, InvokeClient, InvokeReply};

/// Why an exchange has no complete response.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// No connection: nothing was sent.
    #[error("{}", root_cause(.0))]
    Connect(#[source] ClientError),
    /// The request is invalid: nothing was sent.
    #[error("{0}")]
    Request(#[from] http::Error),
    /// The connection broke, or the response is invalid: the server may have received the request.
    #[error("{}", root_cause(.0))]
    Broken(#[source] ClientError),
    /// The body broke off, or is too large.
    #[error("{}", root_cause(&**.0))]
    Body(#[source] Box<dyn Error + Send + Sync>),
    /// No complete response in time.
    #[error("no answer within {} s", .0.as_secs())]
    Timeout(Duration),
    /// The certificates of this machine cannot be read.
    #[error("this machine has no certificates to check the server with: {0}")]
    NoCertificates(#[source] io::Error),
}

/// What an exchange may cost.
#[derive(Debug, Clone, Copy)]
struct ExchangeLimits {
    /// `None`: the server bounds it.
    time: Option<Duration>,
    /// Bytes of the response's body.
    bytes: usize,
}

/// Sends a request to its absolute URI and receives the whole response.
async fn exchange(
    request: request::Builder,
    body: Bytes,
    limits: ExchangeLimits,
) -> Result<Response<Bytes>, ExchangeError> {
    let request = request.body(Full::new(body))?;
    let sent = within(limits.time, send(request, limits.bytes)).await;
    sent.unwrap_or_else(|| Err(ExchangeError::Timeout(limits.time.unwrap_or_default())))
}

async fn send(
    request: Request<Full<Bytes>>,
    max_bytes: usize,
) -> Result<Response<Bytes>, ExchangeError> {
    let client = Client::builder(TokioExecutor::new());
    let response = if request.uri().scheme_str() == Some("https") {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let tls = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(provider)
            .map_err(ExchangeError::NoCertificates)?;
        client
            .build(tls.https_only().enable_http1().build())
            .request(request)
            .await
    } else {
        client.build_http().request(request).await
    };
    let response = response.map_err(|error| {
        if error.is_connect() {
            ExchangeError::Connect(error)
        } else {
            ExchangeError::Broken(error)
        }
    })?;
    let (head, body) = response.into_parts();
    let body = Limited::new(body, max_bytes)
        .collect()
        .await
        .map_err(ExchangeError::Body)?;
    Ok(Response::from_parts(head, body.to_bytes()))
}

/// The text of the innermost error, which names the reason.
fn root_cause(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
