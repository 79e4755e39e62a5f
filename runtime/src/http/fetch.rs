//! One document by HTTP or HTTPS: no redirects, bounded in size and in time.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

/// How long the whole exchange may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Bytes of a document at most.
const MOST_BYTES: usize = 1024 * 1024;

/// Reads the text at this URL.
///
/// # Errors
/// Why there is none, in words.
pub(super) async fn fetch(url: &str) -> Result<String, String> {
    let exchange = tokio::time::timeout(PATIENCE, exchange(url)).await;
    exchange.unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs())))
}

async fn exchange(url: &str) -> Result<String, String> {
    let request = Request::get(url)
        .header(header::ACCEPT, "application/json")
        .body(Empty::<Bytes>::new());
    let request = request.map_err(|error| innermost(&error))?;
    let client = Client::builder(TokioExecutor::new());
    let answer = if url.starts_with("https://") {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let tls = HttpsConnectorBuilder::new().with_provider_and_native_roots(provider);
        let tls = tls.map_err(|error| {
            format!("this machine has no certificates to check the server with: {error}")
        })?;
        client
            .build(tls.https_only().enable_http1().build())
            .request(request)
            .await
    } else {
        client.build_http().request(request).await
    };
    let answer = answer.map_err(|error| innermost(&error))?;
    if answer.status() != StatusCode::OK {
        return Err(format!("the server answers {}", answer.status()));
    }
    let body = Limited::new(answer.into_body(), MOST_BYTES)
        .collect()
        .await
        .map_err(|error| innermost(error.as_ref()))?;
    String::from_utf8(body.to_bytes().into()).map_err(|_| "the answer is not text".to_owned())
}

/// What went wrong first.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
