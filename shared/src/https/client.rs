//! Requests to one service.

use std::error::Error;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response};
use http_body_util::{BodyExt, Limited};
use rustls::ClientConfig;
use tokio::sync::Mutex;

use super::address::Address;
use super::connection::{BoxError, Connection};
use super::tls::{self, TlsError};

/// Maximum bytes of the response to a posted body.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;
/// Idle connections that are kept.
const MAX_IDLE: usize = 8;

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub enum HttpsError {
    /// It did not arrive in time.
    #[error("{server} did not respond within {} ms", .limit.as_millis())]
    Timeout {
        /// Host and port.
        server: String,
        /// The time limit.
        limit: Duration,
    },
    /// The connection failed, or the response is too long.
    #[error("{server}: {}", chain(&**.error))]
    Connection {
        /// Host and port.
        server: String,
        /// Why.
        error: Box<dyn Error + Send + Sync>,
    },
}

/// A response, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpsResponse {
    /// HTTP status code.
    pub status: u16,
    /// Body.
    pub body: Vec<u8>,
}

/// Sends requests to one service. Concurrent requests have a connection each. Redirects are not followed.
pub struct Client {
    address: Address,
    tls: Option<Arc<ClientConfig>>,
    timeout: Duration,
    /// Connections without a request.
    idle: Mutex<Vec<Connection>>,
}

impl Client {
    /// Connects when first used. `timeout`: limit of a request, its connection included.
    /// `authorities` are trusted beside the built-in ones; empty for none. `identity`: the client's
    /// certificate and its key. All in PEM.
    ///
    /// # Errors
    /// The certificates are not in PEM, or cannot be used.
    pub fn open(
        address: &Address,
        timeout: Duration,
        authorities: &[u8],
        identity: Option<(&[u8], &[u8])>,
    ) -> Result<Self, TlsError> {
        let tls = address.encrypted;
        let tls = tls
            .then(|| tls::config(authorities, identity))
            .transpose()?;
        Ok(Self {
            address: address.clone(),
            tls,
            timeout,
            idle: Mutex::default(),
        })
    }

    /// Posts a body to the path of the address.
    ///
    /// # Errors
    /// There is no complete response in time. The server may have handled the request.
    pub async fn post(
        &self,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Result<HttpsResponse, HttpsError> {
        let sent = async {
            let mut map = HeaderMap::with_capacity(headers.len());
            for (name, value) in headers {
                map.insert(HeaderName::try_from(*name)?, HeaderValue::from_str(value)?);
            }
            let path = match self.address.path.as_str() {
                "" => "/",
                path => path,
            };
            self.exchange(Method::POST, path, &map, body.into(), MAX_RESPONSE_BYTES)
                .await
        };
        let response = self.within_limit(sent).await?;
        Ok(HttpsResponse {
            status: response.status().as_u16(),
            body: response.into_body().to_vec(),
        })
    }

    /// Sends a request to a path of the server, with its query. The response has at most
    /// `max_response` bytes.
    ///
    /// # Errors
    /// There is no complete response in time. The server may have handled the request.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &HeaderMap,
        body: Bytes,
        max_response: usize,
    ) -> Result<Response<Bytes>, HttpsError> {
        self.within_limit(self.exchange(method, path, headers, body, max_response))
            .await
    }

    async fn within_limit<T>(
        &self,
        exchange: impl Future<Output = Result<T, BoxError>>,
    ) -> Result<T, HttpsError> {
        let server = || self.address.server.to_string();
        match tokio::time::timeout(self.timeout, exchange).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(HttpsError::Connection {
                server: server(),
                error,
            }),
            Err(_) => Err(HttpsError::Timeout {
                server: server(),
                limit: self.timeout,
            }),
        }
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        headers: &HeaderMap,
        body: Bytes,
        max_response: usize,
    ) -> Result<Response<Bytes>, BoxError> {
        let kept = self.idle.lock().await.pop();
        let Address {
            server, setting, ..
        } = &self.address;
        let mut connection =
            kept.unwrap_or_else(|| Connection::to(server.clone(), self.tls.clone(), setting));
        let response = connection.send(method, path, headers, body).await?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, max_response).collect().await?;
        let mut idle = self.idle.lock().await;
        if idle.len() < MAX_IDLE {
            idle.push(connection);
        }
        Ok(Response::from_parts(head, body.to_bytes()))
    }
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}
