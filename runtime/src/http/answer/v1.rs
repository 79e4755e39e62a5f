//! Payload format 1.0: the response of a REST API's proxy integration.

use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName};
use serde_json::Value;

use super::super::media::accepts;
use super::{AnswerError, Fields, append, described, parse, status};
use crate::listener::{Reply, set_header};

/// The fields of an answer; one with any other field is malformed.
pub(super) const FIELDS: [&str; 5] = [
    "statusCode",
    "headers",
    "multiValueHeaders",
    "body",
    "isBase64Encoded",
];

pub(super) fn decode(
    answer: &Bytes,
    binary: &[String],
    accept: &str,
) -> Result<Reply, AnswerError> {
    let Value::Object(mut fields) = parse(answer)? else {
        return Err(AnswerError::NotAnObject);
    };
    if let Some(unknown) = fields.keys().find(|name| !FIELDS.contains(&name.as_str())) {
        return Err(AnswerError::UnknownField(unknown.clone()));
    }
    let status = match fields.get("statusCode") {
        None | Some(Value::Null) => StatusCode::OK,
        Some(given) => status(given)?,
    };
    // base64 is decoded only for a binary media type that the client accepts
    let mut reply = described(&mut fields, status, accepts(binary, accept))?;
    if let Some(Value::Object(lists)) = fields.remove("multiValueHeaders") {
        many(lists, reply.headers_mut())?;
    }
    if !reply.headers().contains_key(CONTENT_TYPE) {
        set_header(&mut reply, CONTENT_TYPE, "application/json");
    }
    Ok(reply)
}

/// Lists of values replace the single value of the same name.
fn many(lists: Fields, into: &mut HeaderMap) -> Result<(), AnswerError> {
    for (name, values) in lists {
        let Value::Array(values) = values else {
            return Err(AnswerError::HeaderList(name));
        };
        if let Ok(header) = HeaderName::try_from(name.as_str()) {
            into.remove(header);
        }
        for value in values {
            append(&name, value, into)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http_body_util::BodyExt as _;

    use super::*;

    fn read(answer: &str) -> Result<Reply, AnswerError> {
        decode(
            &Bytes::copy_from_slice(answer.as_bytes()),
            &["image/*".into()],
            "image/png,*/*",
        )
    }

    #[test]
    fn several_values_of_a_header_replace_the_single_one() {
        let reply = read(
            r#"{"statusCode": 201, "headers": {"Set-Cookie": "x=0", "X-One": "1"}, "multiValueHeaders": {"set-cookie": ["a=1", "b=2"]}, "body": "hi"}"#,
        )
        .unwrap();
        assert_eq!(
            (reply.status(), &reply.headers()["x-one"]),
            (StatusCode::CREATED, &HeaderValue::from_static("1"))
        );
        assert_eq!(
            reply
                .headers()
                .get_all("set-cookie")
                .iter()
                .collect::<Vec<_>>(),
            ["a=1", "b=2"]
        );
        assert_eq!(reply.headers()[CONTENT_TYPE], "application/json");
    }

    #[tokio::test]
    async fn base64_is_decoded_for_accepted_binary_types() {
        let answer =
            Bytes::from_static(br#"{"statusCode": 200, "body": "AP8=", "isBase64Encoded": true}"#);
        for (binary, accept, expected) in [
            ("image/*", "image/png", &[0, 255][..]),
            ("image/png", "text/html", b"AP8="),
            ("*/*", "", &[0, 255]),
        ] {
            let reply = decode(&answer, &[binary.to_owned()], accept).unwrap();
            assert_eq!(
                reply
                    .into_body()
                    .collect()
                    .await
                    .unwrap()
                    .to_bytes()
                    .as_ref(),
                expected,
                "{binary} {accept}"
            );
        }
    }

    #[test]
    fn an_answer_without_a_status_is_a_200() {
        for answer in ["{}", r#"{"body": "x"}"#, r#"{"headers": {"a": "b"}}"#] {
            assert_eq!(read(answer).unwrap().status(), StatusCode::OK, "{answer}");
        }
    }

    #[test]
    fn other_answers_are_malformed() {
        for wrong in [
            "",
            "null",
            "\"text\"",
            "[1]",
            r#"{"statusCode": 200, "cookies": ["a=1"]}"#,
            r#"{"statusCode": 200, "body": {"a": 1}}"#,
            r#"{"statusCode": 99}"#,
            r#"{"statusCode": 200, "multiValueHeaders": {"a": "b"}}"#,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
