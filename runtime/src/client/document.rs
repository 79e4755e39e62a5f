//! One JSON document by HTTP or HTTPS.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};

use super::{ExchangeError, ExchangeLimits, exchange};

const LIMITS: ExchangeLimits = ExchangeLimits {
    time: Some(Duration::from_secs(5)),
    bytes: 1024 * 1024,
};

/// Why a document cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// There is no complete response.
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    /// The server responds with another status than 200.
    #[error("the server answers {0}")]
    Status(StatusCode),
    /// The document is not UTF-8.
    #[error("the answer is not text")]
    NotText,
}

/// Reads the text at this URL.
///
/// # Errors
/// Why it cannot be read.
pub(crate) async fn fetch_document(url: &str) -> Result<String, FetchError> {
    let request = Request::get(url).header(header::ACCEPT, "application/json");
    let response = exchange(request, Bytes::new(), LIMITS).await?;
    if response.status() != StatusCode::OK {
        return Err(FetchError::Status(response.status()));
    }
    String::from_utf8(response.into_body().into()).map_err(|_| FetchError::NotText)
}
