//! Errors of a whole request.

use aws_sdk_sqs::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

/// Why a request failed. Some of its messages may have been accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SqsError {
    /// SQS did not answer in time, is overloaded, or cannot be reached. Try again later.
    #[error("SQS is unavailable: {0}")]
    Unavailable(String),
    /// SQS refuses the request: no such queue, no permission, no credentials. An operator must
    /// repair the cause.
    #[error("SQS refuses: {0}")]
    Refused(String),
}

/// Codes of transient errors.
const TRANSIENT: [&str; 6] = [
    "RequestThrottled",
    "Throttling",
    "ThrottlingException",
    "KmsThrottled",
    "ServiceUnavailable",
    "InternalError",
];

impl SqsError {
    pub(super) fn of<E>(error: &SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let text = match (error.code(), error.message()) {
            (Some(code), message) => format!("{code}: {}", message.unwrap_or("no message")),
            (None, _) => DisplayErrorContext(error).to_string(),
        };
        let server_error = error
            .raw_response()
            .is_some_and(|response| response.status().is_server_error());
        let transient = error
            .code()
            .is_some_and(|code| TRANSIENT.iter().any(|suffix| code.ends_with(suffix)));
        match error {
            SdkError::ConstructionFailure(_) => Self::Refused(text),
            SdkError::ServiceError(_) if !server_error && !transient => Self::Refused(text),
            _ => Self::Unavailable(text),
        }
    }
}
