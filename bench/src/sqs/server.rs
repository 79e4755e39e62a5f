//! The bare protocol of SQS (`AwsJson` 1.0), without an SDK and without signatures, which a local
//! server does not check: the smallest client that a consumer can have.

use anyhow::{Context, Result, bail, ensure};
use reqwest::Client;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Entries of a request at most: the service's limit.
pub(super) const ENTRIES: usize = 10;
/// Account of a local server.
const ACCOUNT: &str = "000000000000";
/// Seconds for which a received message is hidden.
const HIDDEN: u32 = 120;

/// A queue.
#[derive(Debug, Clone)]
pub(super) struct Queue {
    client: Client,
    pub(super) endpoint: String,
    pub(super) name: String,
}

/// A received message.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Received {
    pub(super) body: String,
    receipt_handle: String,
}

#[derive(Deserialize)]
struct Messages {
    #[serde(rename = "Messages", default)]
    messages: Vec<Received>,
}

#[derive(Deserialize)]
struct Settled {
    #[serde(rename = "Failed", default)]
    failed: Vec<Value>,
}

impl Queue {
    /// Creates a queue.
    pub(super) async fn create(endpoint: &str, name: &str) -> Result<Self> {
        let queue = Self {
            client: Client::builder().no_proxy().build()?,
            endpoint: endpoint.to_owned(),
            name: name.to_owned(),
        };
        let attributes = json!({ "VisibilityTimeout": HIDDEN.to_string() });
        let body = json!({ "QueueName": name, "Attributes": attributes });
        queue.call::<Value>("CreateQueue", &body).await?;
        Ok(queue)
    }

    /// Sends at most [`ENTRIES`] messages.
    pub(super) async fn send(&self, bodies: &[String]) -> Result<()> {
        let entries = bodies.iter().enumerate();
        let entries: Vec<Value> = entries
            .map(|(id, body)| json!({ "Id": id.to_string(), "MessageBody": body }))
            .collect();
        let body = json!({ "QueueUrl": self.url(), "Entries": entries });
        let sent: Settled = self.call("SendMessageBatch", &body).await?;
        ensure!(sent.failed.is_empty(), "not sent: {:?}", sent.failed);
        Ok(())
    }

    /// Receives at most [`ENTRIES`] messages; waits so many seconds for the first one.
    pub(super) async fn receive(&self, wait: u32) -> Result<Vec<Received>> {
        let body = json!({
            "QueueUrl": self.url(), "MaxNumberOfMessages": ENTRIES, "WaitTimeSeconds": wait,
            "MessageSystemAttributeNames": ["All"], "MessageAttributeNames": ["All"],
        });
        let received: Messages = self.call("ReceiveMessage", &body).await?;
        Ok(received.messages)
    }

    /// Deletes these messages.
    pub(super) async fn delete(&self, messages: &[Received]) -> Result<()> {
        let entries = messages.iter().enumerate();
        let entries: Vec<Value> = entries
            .map(|(id, one)| json!({ "Id": id.to_string(), "ReceiptHandle": one.receipt_handle }))
            .collect();
        let body = json!({ "QueueUrl": self.url(), "Entries": entries });
        let deleted: Settled = self.call("DeleteMessageBatch", &body).await?;
        ensure!(
            deleted.failed.is_empty(),
            "not deleted: {:?}",
            deleted.failed
        );
        Ok(())
    }

    /// Deletes the queue.
    pub(super) async fn remove(&self) -> Result<()> {
        let body = json!({ "QueueUrl": self.url() });
        self.call::<Value>("DeleteQueue", &body).await.map(drop)
    }

    fn url(&self) -> String {
        format!("{}/{ACCOUNT}/{}", self.endpoint, self.name)
    }

    async fn call<T: DeserializeOwned>(&self, action: &str, body: &Value) -> Result<T> {
        let request = self
            .client
            .post(&self.endpoint)
            .header("X-Amz-Target", format!("AmazonSQS.{action}"))
            .header("Content-Type", "application/x-amz-json-1.0")
            .body(body.to_string());
        let answer = request.send().await.with_context(|| {
            let endpoint = &self.endpoint;
            format!("SQS at {endpoint} does not answer")
        })?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            bail!("{action} answered {status}: {text}");
        }
        // an action without a result has an empty body
        let text = if text.is_empty() { "{}" } else { &text };
        serde_json::from_str(text).with_context(|| format!("the answer of {action}: {text}"))
    }
}
