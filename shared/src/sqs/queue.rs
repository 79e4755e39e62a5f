//! One queue, sent to.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{BuildError, ProvideErrorMetadata};
use aws_sdk_sqs::operation::send_message_batch::SendMessageBatchOutput;
use aws_sdk_sqs::types::{MessageAttributeValue, SendMessageBatchRequestEntry};

use super::SqsError;
use super::message::{ATTRIBUTE_TYPE, NewMessage, Sent};

/// Codes of a whole request that one of its messages is to blame for.
const BLAMES_A_MESSAGE: [&str; 2] = ["BatchRequestTooLong", "InvalidMessageContents"];

/// A queue. Cheap to clone; clones share connections.
#[derive(Debug, Clone)]
pub struct Queue {
    client: Client,
    url: String,
}

impl Queue {
    /// The queue of a URL, with region, credentials and endpoint as the AWS SDK finds them (`AWS_ENDPOINT_URL_SQS` or
    /// `AWS_ENDPOINT_URL` name another endpoint). Nothing is sent yet.
    ///
    /// `timeout` bounds every request, its one repetition included.
    pub async fn connect(url: &str, timeout: Duration) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(timeout / 2)
            .operation_attempt_timeout(timeout / 2)
            .operation_timeout(timeout)
            .build();
        // One repetition, for a connection that died of idleness; what fails twice is the caller's to try again.
        let config = aws_config::defaults(BehaviorVersion::latest())
            .timeout_config(timeouts)
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(2)
                    .with_initial_backoff(Duration::from_millis(50)),
            )
            .load()
            .await;
        Self::new(Client::new(&config), url)
    }

    /// The queue of a URL, over a client of one's own.
    pub fn new(client: Client, url: &str) -> Self {
        Self {
            client,
            url: url.to_owned(),
        }
    }

    /// Sends messages in one request: at most [`MAX_BATCH`](super::MAX_BATCH) and [`MAX_BYTES`](super::MAX_BYTES), as
    /// [`batches`](super::batches) cuts them. Answers in their order.
    ///
    /// Where SQS refuses a request because of one of its messages without saying which, the request is sent in halves until it is found.
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
                        BLAMES_A_MESSAGE.iter().any(|blame| code.ends_with(blame))
                    }) =>
                {
                    if !parts.split(&part) {
                        let reason = SqsError::of(&error).to_string();
                        all.push(Sent::Refused {
                            by_its_fault: true,
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

/// A message under its number in the request, which is how the answer names it.
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

/// What SQS said of each message. One that it did not speak of may be sent again.
fn read(output: &SendMessageBatchOutput, asked: usize) -> Vec<Sent> {
    let unspoken = || Sent::Refused {
        by_its_fault: false,
        reason: "SQS said nothing of it".to_owned(),
    };
    let mut all: Vec<Sent> = (0..asked).map(|_| unspoken()).collect();
    let place = |id: &str| id.parse::<usize>().ok().filter(|n| *n < asked);
    for accepted in output.successful() {
        if let Some(n) = place(accepted.id()) {
            all[n] = Sent::Accepted;
        }
    }
    for refused in output.failed() {
        if let Some(n) = place(refused.id()) {
            let reason = format!(
                "{}: {}",
                refused.code(),
                refused.message().unwrap_or("no further word")
            );
            all[n] = Sent::Refused {
                by_its_fault: refused.sender_fault(),
                reason,
            };
        }
    }
    all
}
