//! What a function meant by its answer: payload format 2.0.
//!
//! An object with `statusCode` describes the response; anything else *is* the body of a 200. What describes a response
//! that cannot be sent is an error, as on the service.

use base64::Engine as _;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue, SET_COOKIE};
use http::{Response, StatusCode};
use http_body_util::Full;
use serde_json::Value;

use super::refusal::Reply;

/// Headers that belong to the connection, which is the server's business.
const CONNECTION: [&str; 5] = ["connection", "content-length", "keep-alive", "transfer-encoding", "upgrade"];

/// The response, or what is wrong with the answer (for the log).
pub(super) fn decode(answer: &Bytes) -> Result<Reply, String> {
    if answer.is_empty() {
        return Ok(inferred(""));
    }
    let value: Value = serde_json::from_slice(answer).map_err(|error| format!("the answer is not JSON: {error}"))?;
    match &value {
        Value::Object(fields) if fields.contains_key("statusCode") => described(&value),
        Value::String(text) => Ok(inferred(text)),
        _ => Ok(inferred(&String::from_utf8_lossy(answer))),
    }
}

fn inferred(body: &str) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::copy_from_slice(body.as_bytes())));
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}

fn described(value: &Value) -> Result<Reply, String> {
    let status = status(&value["statusCode"])?;
    let mut reply = Response::new(Full::new(body(value)?));
    *reply.status_mut() = status;
    let headers = reply.headers_mut();
    if let Some(fields) = value["headers"].as_object() {
        for (name, value) in fields {
            if CONNECTION.contains(&name.to_ascii_lowercase().as_str()) || value.is_null() {
                continue;
            }
            let header = HeaderName::try_from(name.as_str()).map_err(|_| format!("'{name}' cannot name a header"))?;
            headers.append(header, header_value(name, value)?);
        }
    }
    for cookie in value["cookies"].as_array().into_iter().flatten() {
        headers.append(SET_COOKIE, header_value("cookies", cookie)?);
    }
    if !headers.contains_key(CONTENT_TYPE) && status != StatusCode::NO_CONTENT {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain;charset=UTF-8"));
    }
    Ok(reply)
}

/// A number, or text that is one; a final status.
fn status(value: &Value) -> Result<StatusCode, String> {
    let number = value.as_u64().or_else(|| value.as_str().and_then(|text| text.parse().ok()));
    let number = number.filter(|n| (200..600).contains(n)).and_then(|n| u16::try_from(n).ok());
    number
        .and_then(|n| StatusCode::from_u16(n).ok())
        .ok_or_else(|| format!("statusCode is {value}, not a status from 200 to 599"))
}

fn body(value: &Value) -> Result<Bytes, String> {
    let text = match &value["body"] {
        Value::Null => return Ok(Bytes::new()),
        Value::String(text) => text,
        other => return Err(format!("body must be text, not {other}")),
    };
    if value["isBase64Encoded"].as_bool() != Some(true) {
        return Ok(Bytes::copy_from_slice(text.as_bytes()));
    }
    let decoded = base64::engine::general_purpose::STANDARD.decode(text);
    decoded.map(Bytes::from).map_err(|error| format!("body is not base64: {error}"))
}

fn header_value(name: &str, value: &Value) -> Result<HeaderValue, String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(_) | Value::Bool(_) => value.to_string(),
        _ => return Err(format!("the value of {name} must be text, not {value}")),
    };
    HeaderValue::try_from(text.as_str()).map_err(|_| format!("the value of {name} cannot be sent as a header"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(answer: &str) -> Result<Reply, String> {
        decode(&Bytes::copy_from_slice(answer.as_bytes()))
    }

    #[test]
    fn an_answer_without_a_status_is_the_body_of_a_200() {
        for answer in ["{\"a\": 1}", "[1]", "3", "null", "\"hi\"", ""] {
            let reply = read(answer).unwrap();
            assert_eq!(
                (reply.status(), &reply.headers()[CONTENT_TYPE]),
                (StatusCode::OK, &HeaderValue::from_static("application/json")),
                "{answer}"
            );
        }
    }

    #[test]
    fn a_described_answer_keeps_status_headers_and_cookies() {
        let reply = read(r#"{"statusCode": "201", "headers": {"X-A": "1", "x-n": 2, "Content-Length": "99"}, "cookies": ["a=1", "b=2"], "body": "aGk=", "isBase64Encoded": true}"#).unwrap();
        assert_eq!(reply.status(), StatusCode::CREATED);
        assert_eq!(
            (&reply.headers()["x-a"], &reply.headers()["x-n"]),
            (&HeaderValue::from_static("1"), &HeaderValue::from_static("2"))
        );
        assert!(!reply.headers().contains_key("content-length"));
        assert_eq!(reply.headers().get_all(SET_COOKIE).iter().count(), 2);
    }

    #[test]
    fn a_description_that_cannot_be_sent_is_an_error() {
        for wrong in [
            "not json",
            r#"{"statusCode": 99}"#,
            r#"{"statusCode": 700}"#,
            r#"{"statusCode": "ok"}"#,
            r#"{"statusCode": 101}"#,
            r#"{"statusCode": 200, "body": {"a": 1}}"#,
            r#"{"statusCode": 200, "body": "*", "isBase64Encoded": true}"#,
            r#"{"statusCode": 200, "headers": {"a b": "1"}}"#,
            r#"{"statusCode": 200, "headers": {"a": "1\n2"}}"#,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
