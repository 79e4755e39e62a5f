//! Stores an answer at the presigned URL that a request names.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, Uri};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// Attempts of an upload.
const ATTEMPTS: u32 = 3;
/// Maximum time of one attempt.
const ATTEMPT: Duration = Duration::from_secs(4);
/// Pause after a failed attempt, times its number.
const PAUSE: Duration = Duration::from_millis(200);
/// Upper bound of a whole upload.
pub(crate) const LONGEST: Duration = Duration::from_secs(14);

/// Why `CloudFormation` has no answer.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The URL is none that a presigned URL can be.
    #[error("ResponseURL is no https URL")]
    Url,
    /// The certificates of this machine cannot be read.
    #[error("this machine has no certificates to check the server with: {0}")]
    NoCertificates(#[source] std::io::Error),
    /// The server refuses the answer.
    #[error("the server of ResponseURL answered {0}")]
    Refused(StatusCode),
    /// No complete response.
    #[error("the server of ResponseURL does not answer: {0}. In a VPC, S3 needs an endpoint")]
    Unavailable(String),
}

/// Stores `answer` at `url`. Repeats what may be a passing failure.
pub(crate) async fn store(url: &str, answer: Bytes) -> Result<(), UploadError> {
    let uri: Uri = url.parse().map_err(|_| UploadError::Url)?;
    // Plain HTTP is for a stand-in on the same machine.
    let local = matches!(uri.host(), Some("127.0.0.1" | "localhost"));
    match uri.scheme_str() {
        Some("https") => {}
        Some("http") if local => {}
        _ => return Err(UploadError::Url),
    }
    let client = client()?;
    let mut attempt = 1;
    loop {
        match put(&client, &uri, answer.clone()).await {
            Err(error) if attempt < ATTEMPTS && error.is_passing() => {
                tracing::warn!(%error, attempt, "the answer is not stored; trying again");
                tokio::time::sleep(PAUSE * attempt).await;
                attempt += 1;
            }
            result => return result,
        }
    }
}

impl UploadError {
    fn is_passing(&self) -> bool {
        match self {
            Self::Unavailable(_) => true,
            Self::Refused(status) => status.is_server_error(),
            Self::Url | Self::NoCertificates(_) => false,
        }
    }
}

type HttpsClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

fn client() -> Result<HttpsClient, UploadError> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let tls = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(provider)
        .map_err(UploadError::NoCertificates)?
        .https_or_http()
        .enable_http1()
        .build();
    Ok(Client::builder(TokioExecutor::new()).build(tls))
}

/// One attempt. The URL's signature covers no content type, so the request has none.
async fn put(client: &HttpsClient, uri: &Uri, answer: Bytes) -> Result<(), UploadError> {
    let request = Request::put(uri.clone()).body(Full::new(answer));
    let request = request.map_err(|_| UploadError::Url)?;
    let response = tokio::time::timeout(ATTEMPT, client.request(request)).await;
    let response = response
        .map_err(|_| UploadError::Unavailable(format!("no answer within {} s", ATTEMPT.as_secs())))?
        .map_err(|error| UploadError::Unavailable(root_cause(&error)))?;
    let status = response.status();
    status
        .is_success()
        .then_some(())
        .ok_or(UploadError::Refused(status))
}

fn root_cause(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
