//! A queue to send to.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::config::{BehaviorVersion, Builder};
use aws_sdk_sqs::error::{BuildError, ProvideErrorMetadata};
use aws_sdk_sqs::operation::send_message_batch::SendMessageBatchOutput;
use aws_sdk_sqs::types::{MessageAttributeValue, SendMessageBatchRequestEntry};

use super::message::{ATTRIBUTE_TYPE, NewMessage, Sent};
use super::{SqsAccess, SqsError};

/// Codes of a refused request whose cause is one of its messages.
const MESSAGE_ERRORS: [&str; 2] = ["BatchRequestTooLong", "InvalidMessageContents"];

/// A queue. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub struct Queue {
    client: Client,
    url: String,
}

impl Queue {
    /// The queue at a URL. Sends nothing.
    ///
    /// `timeout` bounds every request, its one retry included.
    #[cfg_attr(not(feature = "credential-chain"), expect(clippy::unused_async))]
    pub async fn connect(url: &str, access: &SqsAccess, timeout: Duration) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(timeout / 2)
            .operation_attempt_timeout(timeout / 2)
            .operation_timeout(timeout)
            .build();
        // One retry, for an idle connection that was closed; the caller handles further failures.
        let retries = RetryConfig::standard()
            .with_max_attempts(2)
            .with_initial_backoff(Duration::from_millis(50));
        #[cfg(feature = "credential-chain")]
        let mut config = Builder::from(&aws_config::load_defaults(BehaviorVersion::latest()).await);
        #[cfg(not(feature = "credential-chain"))]
        let mut config = Builder::new().behavior_version(BehaviorVersion::latest());
        if let Some(region) = &access.region {
            config = config.region(region.clone());
        }
        if let Some(credentials) = &access.credentials {
            config = config.credentials_provider(credentials.clone());
        }
        if let Some(endpoint) = &access.endpoint {
            config = config.endpoint_url(endpoint);
        }
        let config = config
            .timeout_config(timeouts)
            .retry_config(retries)
            .build();
        Self::new(Client::from_conf(config), url)
    }

    /// The queue at a URL, over a given client.
    pub fn new(client: Client, url: &str) -> Self {
        Self {
            client,
            url: url.to_owned(),
        }
    }

    /// Sends messages in one request, which [`batches`](super::batches) has bounded. Results are in
    /// their order.
    ///
    /// When SQS refuses a request because of one of its messages without naming it, the request is
    /// sent in halves until that message is found.
    pub async fn send(&self, messages: &[NewMessage]) -> Result<Vec<Sent>, SqsError> {
        let mut all = Vec::with_capacity(messages.len());
        let mut parts = lambda_batch::Bisect::new(messages.len());
        while let Some(part) = parts.next() {
            let entries = messages[part.clone()]
                .iter()
                .enumerate()
                .map(|(n, message)| entry(n, message));
            let entries = entries
                .collect::<Result<Vec<_>, _>>()
                .map_err(|e| SqsError::Refused(e.to_string()))?;
            let sent = self
                .client
                .send_message_batch()
                .queue_url(&self.url)
                .set_entries(Some(entries))
                .send()
                .await;
            match sent {
                Ok(output) => all.extend(read(&output, part.len())),
                Err(error)
                    if error.code().is_some_and(|code| {
                        MESSAGE_ERRORS.iter().any(|suffix| code.ends_with(suffix))
                    }) =>
                {
                    if !parts.split(&part) {
                        let reason = SqsError::of(&error).to_string();
                        all.push(Sent::Refused {
                            permanent: true,
                            reason,
                        });
                    }
                }
                Err(error) => return Err(SqsError::of(&error)),
            }
        }
        Ok(all)
    }
}

/// A message with its index in the request as id: the reply refers to it.
fn entry(n: usize, message: &NewMessage) -> Result<SendMessageBatchRequestEntry, BuildError> {
    let mut entry = SendMessageBatchRequestEntry::builder()
        .id(n.to_string())
        .message_body(&message.body);
    for (name, value) in &message.attributes {
        let value = MessageAttributeValue::builder()
            .data_type(ATTRIBUTE_TYPE)
            .string_value(value)
            .build()?;
        entry = entry.message_attributes(name, value);
    }
    if let Some(fifo) = &message.fifo {
        entry = entry
            .message_group_id(&fifo.group)
            .message_deduplication_id(&fifo.deduplication);
    }
    entry.build()
}

/// The result of each message. One that is missing in the reply may be sent again.
fn read(output: &SendMessageBatchOutput, sent: usize) -> Vec<Sent> {
    let missing = || Sent::Refused {
        permanent: false,
        reason: "the reply of SQS does not contain it".to_owned(),
    };
    let mut all: Vec<Sent> = (0..sent).map(|_| missing()).collect();
    let index = |id: &str| id.parse::<usize>().ok().filter(|n| *n < sent);
    for accepted in output.successful() {
        if let Some(n) = index(accepted.id()) {
            all[n] = Sent::Accepted;
        }
    }
    for refused in output.failed() {
        if let Some(n) = index(refused.id()) {
            let reason = format!(
                "{}: {}",
                refused.code(),
                refused.message().unwrap_or("no message")
            );
            all[n] = Sent::Refused {
                permanent: refused.sender_fault(),
                reason,
            };
        }
    }
    all
}
