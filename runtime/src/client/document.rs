//! One JSON document by HTTP or HTTPS.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};

use super::{ExchangeLimits, exchange};

const LIMITS: ExchangeLimits = ExchangeLimits {
    time: Some(Duration::from_secs(5)),
    bytes: 1024 * 1024,
};

/// Reads the text at this URL.
///
/// # Errors
/// Why it cannot be read.
pub(crate) async fn fetch_document(url: &str) -> Result<String, String> {
    let request = Request::get(url).header(header::ACCEPT, "application/json");
    let response = exchange(request, Bytes::new(), LIMITS).await;
    let response = response.map_err(|error| error.to_string())?;
    if response.status() != StatusCode::OK {
        return Err(format!("the server answers {}", response.status()));
    }
    String::from_utf8(response.into_body().into()).map_err(|_| "the answer is not text".into())
}
