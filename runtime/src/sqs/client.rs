//! The calls to SQS that this host makes, with errors that a person can read.

use std::error::Error;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::config::{
    BehaviorVersion, Config, Credentials, Region, StalledStreamProtectionConfig,
};
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::{
    Message, MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName,
};

use sam_template::model::sqs::DEFAULT_VISIBILITY;
use sam_template::model::{Application, Location};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(2);

/// How long an answer may take, on top of what the request itself waits.
const ANSWER: Duration = Duration::from_secs(8);

/// Whether SQS refuses the message itself (`SendMessage` in the SQS API reference; `MessageTooLong` is `ElasticMQ`'s code).
/// `InvalidParameterValue` concerns the message only where it is about its length; anything else is the same for every message.
fn refuses_the_message(code: &str, message: &str) -> bool {
    let too_long =
        code.contains("InvalidParameterValue") && message.contains("must be shorter than");
    too_long || code.contains("InvalidMessageContents") || code.contains("MessageTooLong")
}

/// HTTP status of a request that a server or a proxy finds too large.
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
pub enum Wrong {
    /// There is no queue of this name.
    #[error("the queue does not exist")]
    NoQueue,
    /// The queue refuses this message for its size or its characters, and would refuse it again.
    #[error("the queue refuses the message: {0}")]
    Refused(String),
    /// Anything else, in the words of whoever noticed it.
    #[error("{0}")]
    Other(String),
}

impl Sqs {
    /// SQS of an application; `None`: nothing says where it answers.
    pub fn of(app: &Application) -> Option<Self> {
        app.sqs_endpoint
            .as_deref()
            .map(|endpoint| Self::located(endpoint, &app.location))
    }

    /// SQS at an endpoint, in the region and account where nothing chooses others.
    pub fn at(endpoint: &str) -> Self {
        Self::located(endpoint, &Location::default())
    }

    /// Sends no request yet. The credentials are those of the functions: well-formed, and accepted by no account. An endpoint
    /// that keeps queues by region finds the region in the signature.
    pub fn located(endpoint: &str, location: &Location) -> Self {
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(location.region.clone()))
            .credentials_provider(Credentials::new("local", "local", None, None, "usher"))
            .endpoint_url(endpoint)
            // who asks again, and when, is decided by those who call
            .retry_config(RetryConfig::disabled())
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(CONNECT)
                    .operation_timeout(super::POLL + ANSWER)
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

    /// Where it is.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The URL of a queue, as references to it in the template yield.
    pub(super) fn url(&self, queue: &str) -> String {
        format!("{}/{}/{queue}", self.endpoint, self.account)
    }

    /// Whether anybody answers.
    ///
    /// # Errors
    /// Nobody does; one readable message.
    pub async fn reach(&self) -> Result<(), String> {
        let answer = self.client.list_queues().max_results(1).send().await;
        answer.map(drop).map_err(|error| {
            format!(
                "SQS at {} does not answer ({}). Start it, or name another in usher.toml under [endpoints]",
                self.endpoint,
                wrong(&error)
            )
        })
    }

    /// Whether a queue of this name exists.
    ///
    /// # Errors
    /// Nobody answers.
    pub async fn exists(&self, queue: &str) -> Result<bool, Wrong> {
        match self
            .client
            .get_queue_url()
            .queue_name(queue)
            .send()
            .await
            .map_err(|error| wrong(&error))
        {
            Ok(_) => Ok(true),
            Err(Wrong::NoQueue) => Ok(false),
            Err(other) => Err(other),
        }
    }

    /// How long the queue hides a received message.
    ///
    /// # Errors
    /// The queue does not exist, or nobody answers.
    pub async fn visibility(&self, queue: &str) -> Result<Duration, Wrong> {
        let name = QueueAttributeName::VisibilityTimeout;
        let question = self
            .client
            .get_queue_attributes()
            .queue_url(self.url(queue))
            .attribute_names(name.clone());
        let answer = question.send().await.map_err(|error| wrong(&error))?;
        let seconds = answer
            .attributes()
            .and_then(|attributes| attributes.get(&name))
            .and_then(|text| text.parse().ok());
        Ok(seconds.map_or(DEFAULT_VISIBILITY, Duration::from_secs))
    }

    /// Puts a message into a queue.
    ///
    /// # Errors
    /// The queue does not exist or does not take it, or nobody answers.
    pub async fn send(&self, queue: &str, body: String) -> Result<(), Wrong> {
        let sent = self
            .client
            .send_message()
            .queue_url(self.url(queue))
            .message_body(body)
            .send()
            .await;
        sent.map(drop).map_err(|error| wrong(&error))
    }

    /// Puts a message with attributes (name, type, value) into a queue.
    ///
    /// # Errors
    /// The queue does not exist or does not take it, or nobody answers.
    pub(crate) async fn send_with(
        &self,
        queue: &str,
        body: String,
        attributes: &[(&str, &str, String)],
    ) -> Result<(), Wrong> {
        let mut message = self
            .client
            .send_message()
            .queue_url(self.url(queue))
            .message_body(body);
        for (name, kind, value) in attributes {
            let value = MessageAttributeValue::builder()
                .data_type(*kind)
                .string_value(value)
                .build();
            message = message.message_attributes(
                *name,
                value.map_err(|error| Wrong::Other(error.to_string()))?,
            );
        }
        message
            .send()
            .await
            .map(drop)
            .map_err(|error| wrong(&error))
    }

    /// Up to `most` messages, with everything that the service tells of them. Waits up to `wait` for the first one.
    ///
    /// # Errors
    /// The queue does not exist, or nobody answers.
    pub(super) async fn receive(
        &self,
        queue: &str,
        most: usize,
        wait: Duration,
    ) -> Result<Vec<Message>, Wrong> {
        let request = self
            .client
            .receive_message()
            .queue_url(self.url(queue))
            .max_number_of_messages(most as i32)
            .wait_time_seconds(wait.as_secs() as i32)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All");
        let answer = request.send().await.map_err(|error| wrong(&error))?;
        Ok(answer.messages.unwrap_or_default())
    }
}

/// What went wrong: the service's own words, or the innermost cause of a call that did not reach it.
pub(super) fn wrong<E>(error: &SdkError<E>) -> Wrong
where
    E: ProvideErrorMetadata + Error + 'static,
{
    if let Some(code) = error.code() {
        // each protocol of the service has its own spelling
        if code.ends_with("QueueDoesNotExist") || code.ends_with("NonExistentQueue") {
            return Wrong::NoQueue;
        }
        let message = error.message().unwrap_or("no reason given");
        let why = format!("{code}: {message}");
        return if refuses_the_message(code, message) {
            Wrong::Refused(why)
        } else {
            Wrong::Other(why)
        };
    }
    if error
        .raw_response()
        .is_some_and(|response| response.status().as_u16() == PAYLOAD_TOO_LARGE)
    {
        return Wrong::Refused("the server takes no request of this size (413)".to_owned());
    }
    let mut cause: &dyn Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    Wrong::Other(cause.to_string())
}
