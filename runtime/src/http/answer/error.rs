//! Why a function's answer cannot become a response.

use serde_json::Value;

use super::v1::FIELDS;

/// Why an answer is malformed, for the log.
#[derive(Debug, thiserror::Error)]
pub(in crate::http) enum AnswerError {
    #[error("the answer is not JSON: {0}")]
    NotJson(#[source] serde_json::Error),
    #[error(
        "a REST API takes an object with statusCode, headers, multiValueHeaders, body and \
         isBase64Encoded"
    )]
    NotAnObject,
    #[error("a REST API takes no field {0}; it takes {fields}", fields = FIELDS.join(", "))]
    UnknownField(String),
    #[error("statusCode is {0}, not a status from 200 to 599")]
    Status(Value),
    #[error("body must be text, not {0}")]
    BodyKind(Value),
    #[error("body is not base64: {0}")]
    NotBase64(#[source] base64::DecodeError),
    #[error("'{0}' cannot name a header")]
    HeaderName(String),
    #[error("the value of {name} must be text, not {value}")]
    HeaderKind { name: String, value: Value },
    #[error("the value of {0} cannot be sent as a header")]
    HeaderValue(String),
    #[error("multiValueHeaders {0} must be a list")]
    HeaderList(String),
}
