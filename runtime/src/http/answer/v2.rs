//! Payload format 2.0: an object with `statusCode` describes the response; any other answer is the
//! body of a 200.

use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, SET_COOKIE};
use serde_json::Value;

use super::{AnswerError, Fields, described, header_value, parse, status};
use crate::listener::{Reply, json_reply, set_header};

/// The response, or why the answer is malformed (for the log).
pub(super) fn decode(answer: &Bytes) -> Result<Reply, AnswerError> {
    if answer.is_empty() {
        return Ok(inferred(""));
    }
    match parse(answer)? {
        Value::Object(mut fields) => match fields.remove("statusCode") {
            Some(given) => response(fields, &given),
            None => Ok(inferred(answer.clone())),
        },
        Value::String(text) => Ok(inferred(text)),
        _ => Ok(inferred(answer.clone())),
    }
}

fn inferred(body: impl Into<Bytes>) -> Reply {
    json_reply(StatusCode::OK, body)
}

fn response(mut fields: Fields, given: &Value) -> Result<Reply, AnswerError> {
    let status = status(given)?;
    let mut reply = described(&mut fields, status, true)?;
    if let Some(Value::Array(cookies)) = fields.remove("cookies") {
        for cookie in cookies {
            let cookie = header_value("cookies", cookie)?;
            reply.headers_mut().append(SET_COOKIE, cookie);
        }
    }
    if !reply.headers().contains_key(CONTENT_TYPE) && status != StatusCode::NO_CONTENT {
        set_header(&mut reply, CONTENT_TYPE, "text/plain;charset=UTF-8");
    }
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn read(answer: &str) -> Result<Reply, AnswerError> {
        decode(&Bytes::copy_from_slice(answer.as_bytes()))
    }

    #[test]
    fn an_answer_without_a_status_is_the_body_of_a_200() {
        for answer in ["{\"a\": 1}", "[1]", "3", "null", "\"hi\"", ""] {
            let reply = read(answer).unwrap();
            assert_eq!(
                (reply.status(), &reply.headers()[CONTENT_TYPE]),
                (
                    StatusCode::OK,
                    &HeaderValue::from_static("application/json")
                ),
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
            (
                &HeaderValue::from_static("1"),
                &HeaderValue::from_static("2")
            )
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
