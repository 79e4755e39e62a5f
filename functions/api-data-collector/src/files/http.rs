//! The HTTP client of the object store: that of the other services, so that an executable has one.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use http_body_util::BodyExt;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use shared::https::{Client, HttpsError};

/// Maximum bytes of a response: a file that is merged is smaller.
const MAX_RESPONSE_BYTES: usize = 128 << 20;

/// Sends all requests to one server.
#[derive(Clone)]
pub(super) struct OneServer(pub(super) Arc<Client>);

impl fmt::Debug for OneServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneServer")
    }
}

impl HttpConnector for OneServer {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for OneServer {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let sent = self
            .0
            .send(head.method, path, &head.headers, body, MAX_RESPONSE_BYTES);
        let response = sent.await.map_err(|error| {
            let kind = match error {
                HttpsError::Timeout { .. } => HttpErrorKind::Timeout,
                HttpsError::Connection { .. } => HttpErrorKind::Request,
            };
            HttpError::new(kind, error)
        })?;
        Ok(response.map(Into::into))
    }
}
