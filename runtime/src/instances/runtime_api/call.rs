//! Requests of a process and responses to it, as both of its APIs have them.

use bytes::Bytes;
use http::header::{AsHeaderName, CONTENT_TYPE, HeaderValue};
use http::response::Builder;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use serde_json::json;

use crate::instances::driver::Instance;
use crate::instances::failure::MAX_RESPONSE;
use crate::listener::body::BodyError;
use crate::listener::{ConnectionInfo, Reply, json_reply};

/// The body exceeds the limit of a function's response.
#[derive(Debug)]
pub(super) struct ResponseTooLarge;

/// A request of a process.
pub(super) struct Call<'c> {
    pub(super) instance: &'c Instance,
    pub(super) connection: &'c ConnectionInfo,
    headers: HeaderMap,
    body: Incoming,
}

impl<'c> Call<'c> {
    pub(super) fn new(
        request: Request<Incoming>,
        instance: &'c Instance,
        connection: &'c ConnectionInfo,
    ) -> Self {
        let (head, body) = request.into_parts();
        Self {
            instance,
            connection,
            headers: head.headers,
            body,
        }
    }

    /// Bytes that are not UTF-8 become U+FFFD: an invocation id that cannot be read must match
    /// none.
    pub(super) fn header(&self, name: impl AsHeaderName) -> Option<String> {
        Some(String::from_utf8_lossy(self.headers.get(name)?.as_bytes()).into_owned())
    }

    /// Never returns for a body that breaks off: the process is ending, and its end answers for it.
    pub(super) async fn body(self) -> Result<Bytes, ResponseTooLarge> {
        match self.connection.read_body(self.body, MAX_RESPONSE).await {
            Ok(body) => Ok(body),
            Err(BodyError::TooLarge) => Err(ResponseTooLarge),
            Err(_) => std::future::pending().await,
        }
    }
}

/// Completes a response that has headers.
pub(super) fn json_answer(response: Builder, body: Bytes) -> Reply {
    response
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .body(Full::new(body))
        .unwrap_or_else(|error| {
            let status = StatusCode::INTERNAL_SERVER_ERROR;
            refuse(status, "BadHeader", &error.to_string())
        })
}

pub(super) fn accepted() -> Reply {
    json_reply(StatusCode::ACCEPTED, r#"{"status":"OK"}"#)
}

pub(super) fn refuse(status: StatusCode, kind: &str, message: &str) -> Reply {
    json_reply(
        status,
        json!({ "errorType": kind, "errorMessage": message }).to_string(),
    )
}
