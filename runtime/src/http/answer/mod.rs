//! Builds the response from the function's answer.
//!
//! [`v2`]: HTTP APIs and function URLs, where an answer without a `statusCode` is the body of a
//! 200; [`v1`]: REST APIs, where an answer always describes a response. A description that cannot
//! be sent is an error, as on the services.

mod error;
mod v1;
mod v2;

use base64::Engine as _;
use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::Full;
use serde_json::{Map, Value};

pub(super) use error::AnswerError;

use crate::listener::Reply;
use sam_template::model::ApiKind;

/// Headers of the connection, which the server sets.
const CONNECTION: [&str; 5] = [
    "connection",
    "content-length",
    "keep-alive",
    "transfer-encoding",
    "upgrade",
];

/// The response, or why the answer is malformed (for the log). `accept` is the client's header.
pub(super) fn decode(answer: &Bytes, kind: &ApiKind, accept: &str) -> Result<Reply, AnswerError> {
    match kind {
        ApiKind::Http | ApiKind::FunctionUrl => v2::decode(answer),
        ApiKind::Rest(rest) => v1::decode(answer, &rest.binary_media_types, accept),
    }
}

fn parse(answer: &[u8]) -> Result<Value, AnswerError> {
    strict_json::from_slice(answer).map_err(AnswerError::NotJson)
}

/// The fields of an answer that describes a response.
type Fields = Map<String, Value>;

/// The response with the status, body and headers that the answer describes, which are moved out of
/// it. `is_base64`: the body may be base64.
fn described(
    answer: &mut Fields,
    status: StatusCode,
    is_base64: bool,
) -> Result<Reply, AnswerError> {
    let is_base64 = is_base64 && answer.get("isBase64Encoded") == Some(&Value::Bool(true));
    let body = answer.remove("body").unwrap_or_default();
    let mut reply = Response::new(Full::new(bytes(body, is_base64)?));
    *reply.status_mut() = status;
    if let Some(Value::Object(headers)) = answer.remove("headers") {
        for (name, value) in headers {
            append(&name, value, reply.headers_mut())?;
        }
    }
    Ok(reply)
}

/// A final status, as a number or as text.
fn status(value: &Value) -> Result<StatusCode, AnswerError> {
    let number = value
        .as_u64()
        .or_else(|| value.as_str().and_then(|text| text.parse().ok()));
    number
        .filter(|n| (200..600).contains(n))
        .and_then(|n| StatusCode::from_u16(u16::try_from(n).ok()?).ok())
        .ok_or_else(|| AnswerError::Status(value.clone()))
}

/// Text, or the bytes of its base64.
fn bytes(body: Value, is_base64: bool) -> Result<Bytes, AnswerError> {
    let text = match body {
        Value::Null => return Ok(Bytes::new()),
        Value::String(text) => text,
        other => return Err(AnswerError::BodyKind(other)),
    };
    if !is_base64 {
        return Ok(Bytes::from(text));
    }
    let decoded = base64::engine::general_purpose::STANDARD.decode(text);
    decoded.map(Bytes::from).map_err(AnswerError::NotBase64)
}

fn append(name: &str, value: Value, into: &mut HeaderMap) -> Result<(), AnswerError> {
    let mut of_connection = CONNECTION.iter();
    if of_connection.any(|header| name.eq_ignore_ascii_case(header)) || value.is_null() {
        return Ok(());
    }
    let header =
        HeaderName::try_from(name).map_err(|_| AnswerError::HeaderName(name.to_owned()))?;
    into.append(header, header_value(name, value)?);
    Ok(())
}

fn header_value(name: &str, value: Value) -> Result<HeaderValue, AnswerError> {
    let text = match value {
        Value::String(text) => text,
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        _ => {
            return Err(AnswerError::HeaderKind {
                name: name.to_owned(),
                value,
            });
        }
    };
    HeaderValue::try_from(text).map_err(|_| AnswerError::HeaderValue(name.to_owned()))
}
