//! One JSON document by HTTP or HTTPS.

use std::time::Duration;

use http::{Request, StatusCode, header};
use http_body_util::Full;

use super::{ExchangeError, ExchangeLimits, exchange};

const LIMITS: ExchangeLimits = ExchangeLimits {
    time: Some(Duration::from_secs(5)),
    bytes: 1024 * 1024,
};

/// Why a document cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DocumentError {
    #[error("{0}")]
    Url(http::Error),
    #[error(transparent)]
    Exchange(#[from] ExchangeError),
    #[error("the server answers {0}")]
    Status(StatusCode),
    #[error("the answer is not text")]
    NotText,
}

/// Reads the text at this URL.
pub(crate) async fn fetch_document(url: &str) -> Result<String, DocumentError> {
    let request = Request::get(url)
        .header(header::ACCEPT, "application/json")
        .body(Full::default())
        .map_err(DocumentError::Url)?;
    let response = exchange(request, LIMITS).await?;
    if response.status() != StatusCode::OK {
        return Err(DocumentError::Status(response.status()));
    }
    String::from_utf8(response.into_body().into()).map_err(|_| DocumentError::NotText)
}
