//! A queue at a real SQS server, a function that records its messages in a file, and a mapping
//! between them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_sqs::types::{
    Message, MessageSystemAttributeName, QueueAttributeName, SendMessageBatchRequestEntry,
};
use sam_template::model::{Function, Queue, Redrive, SqsMapping};
use serde_json::json;
use tempfile::TempDir;
use testkit::eventually;
use usher::instances::Pool;
use usher::invocation::Invoker;
use usher::sources::sqs::{self, Sqs, SqsEventSource, SqsLimits};
use usher::supervision::ComponentRegistry;

use crate::kafka_fixture::{random, recording};
use crate::support::{self, invoke, pool};

/// Visibility timeout: short enough for a redelivery within a test, long enough for a process to
/// start on a busy machine.
pub(crate) const VISIBILITY: Duration = Duration::from_secs(3);

/// The shared server.
pub(crate) fn endpoint() -> String {
    testkit::servers::sqs_endpoint()
}

pub(crate) struct SqsFixture {
    pub(crate) endpoint: String,
    pub(crate) client: Client,
    pub(crate) sqs: Sqs,
    pub(crate) queues: Vec<Queue>,
    pub(crate) mapping: SqsMapping,
    pub(crate) folder: TempDir,
    pub(crate) pool: Arc<Pool>,
    pub(crate) limits: SqsLimits,
}

/// A message that the function received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) id: String,
    /// `ApproximateReceiveCount`.
    pub(crate) receives: u32,
    /// Messages in its invocation.
    pub(crate) batch: usize,
    pub(crate) done: bool,
    pub(crate) body: String,
}

pub(crate) type Running = support::Running<SqsEventSource>;

pub(crate) fn queue(name: &str, redrive: Option<Redrive>) -> Queue {
    let fifo = sam_template::model::sqs::is_fifo(name);
    let mut attributes = BTreeMap::from([(
        "VisibilityTimeout".to_owned(),
        VISIBILITY.as_secs().to_string(),
    )]);
    if fifo {
        attributes.extend(
            ["FifoQueue", "ContentBasedDeduplication"]
                .map(|name| (name.to_owned(), "true".to_owned())),
        );
    }
    Queue {
        id: name.into(),
        name: name.into(),
        arn: arn(name),
        fifo,
        visibility: VISIBILITY,
        attributes,
        redrive,
    }
}

pub(crate) fn arn(name: &str) -> String {
    format!("arn:aws:sqs:us-east-1:000000000000:{name}")
}

pub(crate) fn client(endpoint: &str) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(endpoint);
    Client::from_conf(config.build())
}

impl SqsFixture {
    pub(crate) async fn new() -> Self {
        Self::with(endpoint(), "", None).await
    }

    pub(crate) async fn fifo() -> Self {
        Self::with(endpoint(), ".fifo", None).await
    }

    /// `receives`: allowed receives before a message moves to the dead-letter queue, the second
    /// queue.
    pub(crate) async fn with(endpoint: String, suffix: &str, receives: Option<u32>) -> Self {
        let name = format!("host-{}", random());
        let own = format!("{name}{suffix}");
        let dead = format!("{name}-dead{suffix}");
        let redrive = receives.map(|max_receives| Redrive {
            target: arn(&dead),
            max_receives,
        });
        let mut queues = vec![queue(&own, redrive.clone())];
        queues.extend(redrive.map(|_| queue(&dead, None)));
        let sqs = Sqs::at(&endpoint);
        sqs::ensure(&sqs, &queues)
            .await
            .expect("SQS answers: start it with `scripts/servers start sqs`");
        let mapping = SqsMapping {
            id: "EchoMessages".into(),
            function: "Echo".into(),
            queue_arn: arn(&own),
            batch_size: 10,
            batching_window: Duration::ZERO,
            partial_responses: true,
            max_concurrency: None,
            filters: None,
            enabled: true,
        };
        let folder = tempfile::tempdir().unwrap();
        let pool = pool(recording(&folder));
        let limits = SqsLimits {
            concurrency: 4,
            timeout: Duration::from_secs(1),
            visibility: VISIBILITY,
            drain: Duration::from_secs(20),
        };
        // warm, so that the duration of a cold start does not matter
        invoke(&pool, json!({ "do": "echo" })).await;
        Self {
            client: client(&endpoint),
            endpoint,
            sqs,
            queues,
            mapping,
            folder,
            pool,
            limits,
        }
    }

    /// As `new`, with other settings of the function.
    pub(crate) async fn function(&mut self, change: impl FnOnce(&mut Function)) {
        let mut function = recording(&self.folder);
        change(&mut function);
        self.pool = pool(function);
        invoke(&self.pool, json!({ "do": "echo" })).await;
    }

    pub(crate) fn start(&self) -> Running {
        self.start_with(self.pool.clone())
    }

    pub(crate) fn start_with(&self, invoker: Invoker) -> Running {
        let queues = self.queues.clone().into();
        let source = SqsEventSource::new(
            self.mapping.clone(),
            &self.limits,
            self.sqs.clone(),
            queues,
            invoker,
        );
        Running::start(source, &ComponentRegistry::default())
    }

    pub(crate) fn url(&self, queue: &str) -> String {
        format!("{}/000000000000/{queue}", self.endpoint)
    }

    pub(crate) async fn send(&self, bodies: &[impl ToString]) {
        let bodies: Vec<(Option<&str>, String)> =
            bodies.iter().map(|body| (None, body.to_string())).collect();
        self.send_grouped(&bodies).await;
    }

    /// Group and body.
    pub(crate) async fn send_grouped(&self, bodies: &[(Option<&str>, String)]) {
        for chunk in bodies.chunks(10) {
            let entries = chunk.iter().enumerate().map(|(at, (group, body))| {
                let entry = SendMessageBatchRequestEntry::builder()
                    .id(at.to_string())
                    .message_body(body);
                entry
                    .set_message_group_id(group.map(str::to_owned))
                    .build()
                    .unwrap()
            });
            let request = self
                .client
                .send_message_batch()
                .queue_url(self.url(self.mapping.queue_name()));
            let sent = request
                .set_entries(Some(entries.collect()))
                .send()
                .await
                .unwrap();
            assert!(sent.failed().is_empty(), "{sent:?}");
        }
    }

    /// Receives once from a queue, with a wait of the time that a message may take to arrive.
    pub(crate) async fn receive(&self, queue: &str, wait: i32) -> Vec<Message> {
        let request = self
            .client
            .receive_message()
            .queue_url(self.url(queue))
            .max_number_of_messages(10)
            .wait_time_seconds(wait)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All");
        request.send().await.unwrap().messages.unwrap_or_default()
    }

    /// Deletes a message of the mapping's queue.
    pub(crate) async fn delete(&self, message: &Message) {
        let request = self
            .client
            .delete_message()
            .queue_url(self.url(self.mapping.queue_name()));
        request
            .receipt_handle(message.receipt_handle().unwrap())
            .send()
            .await
            .unwrap();
    }

    /// Messages in the mapping's queue: visible and hidden.
    pub(crate) async fn left(&self) -> (usize, usize) {
        let names = [
            QueueAttributeName::ApproximateNumberOfMessages,
            QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
        ];
        let request = self
            .client
            .get_queue_attributes()
            .queue_url(self.url(self.mapping.queue_name()));
        let answer = request
            .set_attribute_names(Some(names.to_vec()))
            .send()
            .await
            .unwrap();
        let [visible, hidden] =
            names.map(|name| answer.attributes().unwrap()[&name].parse().unwrap());
        (visible, hidden)
    }

    pub(crate) async fn attributes(&self, queue: &str) -> BTreeMap<String, String> {
        let request = self
            .client
            .get_queue_attributes()
            .queue_url(self.url(queue))
            .attribute_names(QueueAttributeName::All);
        let attributes = request.send().await.unwrap().attributes.unwrap();
        attributes
            .into_iter()
            .map(|(name, value)| (name.as_str().to_owned(), value))
            .collect()
    }

    /// The messages that the function received, in order.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        let text = std::fs::read_to_string(self.folder.path().join("seen")).unwrap_or_default();
        let line = |line: &str| {
            let mut words = line.splitn(5, ' ').map(str::to_owned);
            let mut word = || words.next().unwrap();
            Seen {
                id: word(),
                receives: word().parse().unwrap(),
                batch: word().parse().unwrap(),
                done: word() == "done",
                body: word(),
            }
        };
        text.lines().map(line).collect()
    }

    pub(crate) async fn eventually_done(&self, count: usize) -> Vec<Seen> {
        eventually("the function is done with every message", async || {
            Some(self.seen()).filter(|seen| seen.iter().filter(|seen| seen.done).count() >= count)
        })
        .await
    }

    pub(crate) async fn eventually_empty(&self) {
        eventually("the queue is empty", async || {
            (self.left().await == (0, 0)).then_some(())
        })
        .await;
    }

    pub(crate) fn marker(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }
}
