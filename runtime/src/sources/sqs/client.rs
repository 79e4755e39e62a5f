//! The SQS client of the host, with readable errors.

use std::collections::HashMap;
use std::error::Error;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::config::{
    BehaviorVersion, Config, Credentials, Region, StalledStreamProtectionConfig,
};
use aws_sdk_sqs::error::{BuildError, ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{
    Message, MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName,
};

use sam_template::model::sqs::DEFAULT_VISIBILITY;
use sam_template::model::{Application, Location};

/// Maximum wait of one request for messages. The service's pollers wait 20 s. A host that is
/// stopped or killed leaves its last request open, and the server may answer it with a message that
/// is then hidden until its visibility timeout. Two seconds keep a drain, and that gap, short.
pub(crate) const POLL: Duration = Duration::from_secs(2);

/// Timeout of a connection attempt.
const CONNECT: Duration = Duration::from_secs(2);

/// Timeout of an answer, in addition to the wait that the request contains. A connection that has
/// gone silent is replaced after both.
const ANSWER: Duration = Duration::from_secs(3);

/// Whether SQS refuses this message rather than every message (`SendMessage` in the SQS API
/// reference; `MessageTooLong` is a code of `ElasticMQ`). `InvalidParameterValue` does so only for
/// the length.
fn refuses_the_message(code: &str, message: &str) -> bool {
    let too_long =
        code.contains("InvalidParameterValue") && message.contains("must be shorter than");
    too_long || code.contains("InvalidMessageContents") || code.contains("MessageTooLong")
}

/// Codes with which the service refuses a caller ("Common Errors" in the SQS API reference, and
/// `InvalidSecurity` of its actions). By protocol, a code has a prefix, or `Exception` at its end.
const DENIED: [&str; 9] = [
    "AccessDenied",
    "ExpiredToken",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSecurity",
    "MissingAuthenticationToken",
    "NotAuthorized",
    "SignatureDoesNotMatch",
    "UnrecognizedClient",
];

/// HTTP status with which a server or proxy refuses a large request.
const PAYLOAD_TOO_LARGE: u16 = 413;

/// SQS at one endpoint. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Sqs {
    pub(super) client: Client,
    endpoint: String,
    /// Account in the URLs of queues.
    account: String,
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SqsError {
    /// The queue does not exist.
    #[error("the queue does not exist")]
    NoQueue,
    /// The queue refuses this message for its size or characters. A retry would fail as well.
    #[error("the queue refuses the message: {0}")]
    Refused(String),
    /// The server answers, and refuses the caller.
    #[error("{0}")]
    Denied(String),
    /// Any other error.
    #[error("{0}")]
    Other(String),
}

/// The endpoint does not respond.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "SQS at {endpoint} does not answer ({error}). Start it, or name another in usher.toml under \
     [endpoints]"
)]
pub struct SqsUnreachable {
    /// Its URL.
    pub endpoint: String,
    /// The reason.
    #[source]
    pub error: SqsError,
}

impl From<BuildError> for SqsError {
    /// A request lacks a part.
    fn from(error: BuildError) -> Self {
        Self::Other(error.to_string())
    }
}

impl Sqs {
    /// SQS of an application. `None`: the application has no endpoint.
    pub fn of(app: &Application) -> Option<Self> {
        app.sqs_endpoint
            .as_deref()
            .map(|endpoint| Self::located(endpoint, &app.location))
    }

    /// SQS at an endpoint, in the default region and account.
    pub fn at(endpoint: &str) -> Self {
        Self::located(endpoint, &Location::default())
    }

    /// SQS at an endpoint. The credentials are those of the functions: well-formed, and valid for
    /// no account. The signature contains the region.
    pub fn located(endpoint: &str, location: &Location) -> Self {
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(location.region.clone()))
            .credentials_provider(Credentials::new("local", "local", None, None, "usher"))
            .endpoint_url(endpoint)
            // the callers decide on retries
            .retry_config(RetryConfig::disabled())
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(CONNECT)
                    .operation_timeout(POLL + ANSWER)
                    .build(),
            )
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build();
        Self {
            client: Client::from_conf(config),
            endpoint: endpoint.to_owned(),
            account: location.account.clone(),
        }
    }

    /// The endpoint URL.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The URL of a queue, equal to that of a `Ref` in the template.
    pub(super) fn url(&self, queue: &str) -> String {
        format!("{}/{}/{queue}", self.endpoint, self.account)
    }

    /// Checks that the endpoint answers.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn probe(&self) -> Result<(), SqsUnreachable> {
        let answer = self.client.list_queues().max_results(1).send().await;
        answer.map(drop).map_err(|error| SqsUnreachable {
            endpoint: self.endpoint.clone(),
            error: convert(&error),
        })
    }

    /// Whether a queue of this name exists.
    ///
    /// # Errors
    /// The endpoint does not answer.
    pub async fn exists(&self, queue: &str) -> Result<bool, SqsError> {
        let request = self.client.get_queue_url().queue_name(queue);
        match request.send().await.map_err(|error| convert(&error)) {
            Ok(_) => Ok(true),
            Err(SqsError::NoQueue) => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// Attributes of a queue.
    ///
    /// # Errors
    /// The queue does not exist, or the endpoint does not answer.
    pub(super) async fn attributes(
        &self,
        queue: &str,
        names: &[QueueAttributeName],
    ) -> Result<HashMap<QueueAttributeName, String>, SqsError> {
        let request = self
            .client
            .get_queue_attributes()
            .queue_url(self.url(queue))
            .set_attribute_names(Some(names.to_vec()));
        let answer = request.send().await.map_err(|error| convert(&error))?;
        Ok(answer.attributes.unwrap_or_default())
    }

    /// Visibility timeout of a queue.
    ///
    /// # Errors
    /// The queue does not exist, or the endpoint does not answer.
    pub async fn visibility(&self, queue: &str) -> Result<Duration, SqsError> {
        let name = QueueAttributeName::VisibilityTimeout;
        let found = self.attributes(queue, std::slice::from_ref(&name)).await?;
        let seconds = found.get(&name).and_then(|text| text.parse().ok());
        Ok(seconds.map_or(DEFAULT_VISIBILITY, Duration::from_secs))
    }

    /// Sends a message.
    ///
    /// # Errors
    /// The queue does not exist or refuses the message, or the endpoint does not answer.
    pub async fn send(&self, queue: &str, body: String) -> Result<(), SqsError> {
        self.send_with(queue, body, &[]).await
    }

    /// Sends a message with attributes (name, type, value).
    ///
    /// # Errors
    /// The queue does not exist or refuses the message, or the endpoint does not answer.
    pub(crate) async fn send_with(
        &self,
        queue: &str,
        body: String,
        attributes: &[(&str, &str, String)],
    ) -> Result<(), SqsError> {
        let mut message = self
            .client
            .send_message()
            .queue_url(self.url(queue))
            .message_body(body);
        for (name, kind, value) in attributes {
            message = message.message_attributes(*name, attribute(kind, value)?);
        }
        let sent = message.send().await;
        sent.map(drop).map_err(|error| convert(&error))
    }

    /// Receives up to `max` messages with all their attributes. Waits up to `wait` for the first
    /// one. `hidden`: their visibility timeout, if not that of the queue.
    ///
    /// # Errors
    /// The queue does not exist, or the endpoint does not answer.
    pub(super) async fn receive(
        &self,
        queue: &str,
        max: usize,
        wait: Duration,
        hidden: Option<Duration>,
    ) -> Result<Vec<Message>, SqsError> {
        let request = self
            .client
            .receive_message()
            .queue_url(self.url(queue))
            .max_number_of_messages(max as i32)
            .wait_time_seconds(wait.as_secs() as i32)
            .set_visibility_timeout(hidden.map(|hidden| hidden.as_secs() as i32))
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All");
        let answer = request.send().await.map_err(|error| convert(&error))?;
        Ok(answer.messages.unwrap_or_default())
    }
}

/// A message attribute with a text.
pub(super) fn attribute(kind: &str, text: &str) -> Result<MessageAttributeValue, BuildError> {
    MessageAttributeValue::builder()
        .data_type(kind)
        .string_value(text)
        .build()
}

/// Converts an error: to the service's code and message, or to the innermost cause of a failed
/// call.
pub(super) fn convert<E>(error: &SdkError<E>) -> SqsError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    if let Some(code) = error.code() {
        return answered(code, error.message().unwrap_or("no reason given"));
    }
    if error
        .raw_response()
        .is_some_and(|response| response.status().as_u16() == PAYLOAD_TOO_LARGE)
    {
        return SqsError::Refused("the server accepts no request of this size (413)".to_owned());
    }
    let mut cause: &dyn Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    SqsError::Other(cause.to_string())
}

/// Classifies an error of the service.
fn answered(code: &str, message: &str) -> SqsError {
    // the code differs by protocol
    if code.ends_with("QueueDoesNotExist") || code.ends_with("NonExistentQueue") {
        return SqsError::NoQueue;
    }
    let why = format!("{code}: {message}");
    if refuses_the_message(code, message) {
        SqsError::Refused(why)
    } else if DENIED.iter().any(|denied| code.contains(denied)) {
        SqsError::Denied(why)
    } else {
        SqsError::Other(why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_caller_differs_from_a_failed_call() {
        for code in [
            "AccessDeniedException",
            "com.amazonaws.sqs#KmsAccessDenied",
            "UnrecognizedClientException",
        ] {
            assert_eq!(
                answered(code, "no"),
                SqsError::Denied(format!("{code}: no"))
            );
        }
        for code in ["ThrottlingException", "InternalFailure"] {
            assert_eq!(answered(code, "no"), SqsError::Other(format!("{code}: no")));
        }
        let missing = "AWS.SimpleQueueService.NonExistentQueue";
        assert_eq!(answered(missing, "no"), SqsError::NoQueue);
    }
}
