//! What can go wrong with a whole request.

use aws_sdk_sqs::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

/// Why a request failed. Nothing is known of its messages: some may have been accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SqsError {
    /// SQS did not answer in time, is overloaded, or cannot be reached. Try again later.
    #[error("SQS is unavailable: {0}")]
    Unavailable(String),
    /// SQS refuses all of it: no such queue, no permission, no credentials. Trying again helps once somebody has mended that.
    #[error("SQS refuses: {0}")]
    Refused(String),
}

/// Codes that pass by themselves.
const PASSING: [&str; 6] = [
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
            (Some(code), message) => format!("{code}: {}", message.unwrap_or("no further word")),
            (None, _) => DisplayErrorContext(error).to_string(),
        };
        let by_the_server = error
            .raw_response()
            .is_some_and(|response| response.status().is_server_error());
        let passing = error
            .code()
            .is_some_and(|code| PASSING.iter().any(|passing| code.ends_with(passing)));
        match error {
            SdkError::ConstructionFailure(_) => Self::Refused(text),
            SdkError::ServiceError(_) if !by_the_server && !passing => Self::Refused(text),
            _ => Self::Unavailable(text),
        }
    }
}
