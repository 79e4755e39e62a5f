//! Errors of the service, in the form that the SDKs read.
//!
//! Source: the errors of each action in the "Amazon SQS API Reference", and the error codes of the
//! query protocol in the model of the service (`awsQueryError`).

use serde_json::json;

/// An error of a call, or of an entry of a batch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind:?}: {message}")]
pub struct ApiError {
    /// What a program distinguishes.
    pub kind: ErrorKind,
    /// What a person reads.
    pub message: String,
}

/// Kinds of errors, by their names in the model of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the service")]
pub enum ErrorKind {
    BatchEntryIdsNotDistinct,
    BatchRequestTooLong,
    EmptyBatchRequest,
    InternalError,
    InvalidAttributeName,
    InvalidAttributeValue,
    InvalidBatchEntryId,
    InvalidMessageContents,
    InvalidParameterValue,
    MessageNotInflight,
    MissingParameter,
    OverLimit,
    QueueDoesNotExist,
    QueueNameExists,
    ReceiptHandleIsInvalid,
    ResourceNotFound,
    Serialization,
    TooManyEntriesInBatchRequest,
    UnknownOperation,
    UnsupportedOperation,
}

use ErrorKind as Kind;

impl ErrorKind {
    /// `__type` of the JSON protocol.
    pub fn json_type(self) -> String {
        let name = match self {
            Kind::InternalError => "com.amazon.coral.service#InternalFailure",
            Kind::InvalidParameterValue => {
                "com.amazon.coral.service#InvalidParameterValueException"
            }
            Kind::MissingParameter => "com.amazon.coral.service#MissingRequiredParameterException",
            Kind::Serialization => "com.amazon.coral.service#SerializationException",
            Kind::UnknownOperation => "com.amazon.coral.service#UnknownOperationException",
            Kind::ResourceNotFound => "com.amazonaws.sqs#ResourceNotFoundException",
            modelled => return format!("com.amazonaws.sqs#{modelled:?}"),
        };
        name.to_owned()
    }

    /// The code of the query protocol, which the SDKs report where they did so before.
    pub fn query_code(self) -> String {
        match self {
            Kind::BatchEntryIdsNotDistinct
            | Kind::BatchRequestTooLong
            | Kind::EmptyBatchRequest
            | Kind::InvalidBatchEntryId
            | Kind::MessageNotInflight
            | Kind::TooManyEntriesInBatchRequest
            | Kind::UnsupportedOperation => format!("AWS.SimpleQueueService.{self:?}"),
            Kind::QueueDoesNotExist => "AWS.SimpleQueueService.NonExistentQueue".to_owned(),
            Kind::QueueNameExists => "QueueAlreadyExists".to_owned(),
            Kind::ResourceNotFound => "ResourceNotFoundException".to_owned(),
            Kind::InternalError => "InternalFailure".to_owned(),
            Kind::Serialization => "MalformedInput".to_owned(),
            Kind::UnknownOperation => "InvalidAction".to_owned(),
            same => format!("{same:?}"),
        }
    }

    /// Status of the HTTP response.
    pub fn status(self) -> u16 {
        match self {
            Kind::OverLimit => 403,
            Kind::ReceiptHandleIsInvalid | Kind::ResourceNotFound => 404,
            Kind::InternalError => 500,
            _ => 400,
        }
    }

    /// Whether the caller can correct it.
    pub fn is_fault_of_sender(self) -> bool {
        self != Kind::InternalError
    }
}

impl ApiError {
    /// An error of this kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// `InvalidParameterValue`, in the words of the service.
    pub(crate) fn value(value: impl std::fmt::Display, parameter: &str, reason: &str) -> Self {
        let message =
            format!("Value {value} for parameter {parameter} is invalid. Reason: {reason}");
        Self::new(Kind::InvalidParameterValue, message)
    }

    pub(crate) fn missing(parameter: &str) -> Self {
        let message = format!("The request must contain the parameter {parameter}.");
        Self::new(Kind::MissingParameter, message)
    }

    pub(crate) fn no_queue() -> Self {
        Self::new(
            Kind::QueueDoesNotExist,
            "The specified queue does not exist.",
        )
    }

    /// The body of the response.
    pub fn to_json(&self) -> Vec<u8> {
        json!({ "__type": self.kind.json_type(), "message": self.message })
            .to_string()
            .into_bytes()
    }

    /// The value of the header `x-amzn-query-error`.
    pub fn query_header(&self) -> String {
        let fault = if self.kind.is_fault_of_sender() {
            "Sender"
        } else {
            "Receiver"
        };
        format!("{};{fault}", self.kind.query_code())
    }
}

/// Checks that a number is within the bounds of a parameter.
pub(crate) fn within(
    parameter: &str,
    value: i64,
    bounds: &std::ops::RangeInclusive<i64>,
) -> Result<u64, ApiError> {
    if bounds.contains(&value) {
        return Ok(value as u64);
    }
    let reason = format!("Must be between {} and {}.", bounds.start(), bounds.end());
    Err(ApiError::value(value, parameter, &reason))
}
