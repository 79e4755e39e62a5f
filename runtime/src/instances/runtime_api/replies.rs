//! Headers and bodies of requests, and responses, as both APIs of a process have them.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use hyper::body::Incoming;
use serde_json::json;

use crate::instances::failure::MAX_RESPONSE;
use crate::listener::body::BodyError;
use crate::listener::{ConnectionInfo, Reply, json_reply};

/// The body exceeds the limit of a function's response.
#[derive(Debug)]
pub(super) struct ResponseTooLarge;

/// Bytes that are not UTF-8 become U+FFFD: an invocation id that cannot be read must match none.
pub(super) fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(String::from_utf8_lossy(headers.get(name)?.as_bytes()).into_owned())
}

/// Never returns for a body that breaks off: the process is ending, and its supervisor answers for
/// it.
pub(super) async fn read(
    body: Incoming,
    connection: &ConnectionInfo,
) -> Result<Bytes, ResponseTooLarge> {
    match connection.read_body(body, MAX_RESPONSE).await {
        Ok(body) => Ok(body),
        Err(BodyError::TooLarge) => Err(ResponseTooLarge),
        Err(_) => std::future::pending().await,
    }
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
