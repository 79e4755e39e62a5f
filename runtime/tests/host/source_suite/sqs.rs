//! Queues, of either kind. The application does not create them, so that a deleted queue stays
//! away until the test creates it again.

use std::collections::BTreeMap;
use std::sync::Mutex;

use aws_sdk_sqs::types::{QueueAttributeName, SendMessageBatchRequestEntry};
use serde_json::{Value, json};
use testkit::eventually;
use testkit::net::free_address;
use testkit::refusing::refusing_http;
use testkit::relay::Relay;
use usher::sources::sqs::Sqs;

use super::{Declaration, Outage, Place, Promise, Setup, SourceUnderTest};
use crate::kafka_fixture::random;
use crate::sources_fixture::Host;
use crate::sqs_fixture::{arn, client, endpoint};

/// Groups of a FIFO queue.
const GROUPS: usize = 4;

/// What the service answers to a caller without permission.
const ACCESS_DENIED: &str = r#"{"__type":"com.amazon.coral.service#AccessDeniedException","message":"Access to the resource is denied."}"#;

pub(crate) type StandardQueue = Queue<false>;
pub(crate) type FifoQueue = Queue<true>;

pub(crate) struct Queue<const FIFO: bool> {
    setup: Setup,
    name: String,
    /// The name of the queue, with its suffix.
    full_name: String,
    /// In front of the server, if the test has an outage of the server.
    relay: Option<Relay>,
    /// Items that are planned, by group.
    planned: Mutex<[usize; GROUPS]>,
}

/// Creates a queue at the shared server with these attributes.
pub(crate) async fn create(queue: &str, attributes: BTreeMap<QueueAttributeName, String>) {
    let client = client(&endpoint());
    eventually("the queue exists", async || {
        let create = client
            .create_queue()
            .queue_name(queue)
            .set_attributes(Some(attributes.clone().into_iter().collect()));
        create.send().await.ok()
    })
    .await;
}

/// Messages in a queue, hidden ones included.
pub(crate) async fn count(queue: &str) -> u64 {
    Sqs::at(&endpoint()).count(queue).await.unwrap()
}

/// The name of the dead-letter queue of a source.
pub(crate) fn dead(name: &str) -> String {
    format!("{name}-dead")
}

/// The line of usher.toml with the server.
pub(crate) fn server(endpoint: &str) -> String {
    format!("endpoints.sqs = '{endpoint}'")
}

impl<const FIFO: bool> Queue<FIFO> {
    fn suffix() -> &'static str {
        if FIFO { ".fifo" } else { "" }
    }

    fn dead(&self) -> String {
        dead(&self.name) + Self::suffix()
    }

    fn url(&self) -> String {
        format!("{}/000000000000/{}", endpoint(), self.full_name)
    }

    fn endpoint(&self) -> String {
        self.relay.as_ref().map_or_else(endpoint, |relay| {
            format!("http://127.0.0.1:{}", relay.port())
        })
    }

    async fn create(&self) {
        let mut attributes = BTreeMap::new();
        if FIFO {
            attributes.extend(
                [
                    QueueAttributeName::FifoQueue,
                    QueueAttributeName::ContentBasedDeduplication,
                ]
                .map(|name| (name, "true".to_owned())),
            );
        }
        if self.setup.attempts.is_some() {
            create(&self.dead(), attributes.clone()).await;
        }
        if let Some(attempts) = self.setup.attempts {
            let redrive = json!({
                "deadLetterTargetArn": arn(&self.dead()), "maxReceiveCount": attempts,
            });
            attributes.insert(QueueAttributeName::RedrivePolicy, redrive.to_string());
        }
        let hidden = self.setup.timeout + 1;
        attributes.insert(QueueAttributeName::VisibilityTimeout, hidden.to_string());
        create(&self.full_name, attributes).await;
    }
}

impl<const FIFO: bool> SourceUnderTest for Queue<FIFO> {
    const KIND: &'static str = "sqs";
    const NAME: &'static str = if FIFO {
        "SQS FIFO queue"
    } else {
        "SQS standard queue"
    };

    const REPEATS_UNIT: bool = FIFO;

    fn exempt(promise: Promise) -> Option<&'static str> {
        match promise {
            Promise::Order if !FIFO => Some("a standard queue has no order"),
            Promise::Absent => Some("`usher up` names the queue and does not start"),
            _ => None,
        }
    }

    async fn new(setup: Setup) -> Self {
        let name = format!("s{}", random());
        let relay = match setup.outage {
            Some(Outage::Away | Outage::Unreadable) => Some(Relay::start(server_port()).await),
            _ => None,
        };
        let queue = Self {
            setup,
            full_name: format!("{name}{}", Self::suffix()),
            name,
            relay,
            planned: Mutex::default(),
        };
        queue.create().await;
        queue
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn declare(&self) -> Declaration {
        let properties = format!(
            "      Events:
        Items:
          Type: SQS
          Properties:
            Queue: '{}'
            BatchSize: {}
            FunctionResponseTypes: [ReportBatchItemFailures]
",
            arn(&self.full_name),
            self.setup.batch
        );
        Declaration {
            properties,
            settings: vec![server(&self.endpoint())],
        }
    }

    fn place(&self) -> Place {
        let id = format!("{}.Items", self.setup.function);
        Place {
            list: "queues",
            field: "mapping",
            kind: "sqs",
            lag: vec![format!("usher_sqs_waiting{{mapping=\"{id}\"")],
            up: Some(format!("usher_sqs_up{{mapping=\"{id}\"")),
            id,
        }
    }

    fn plan(&self, count: usize) -> Vec<String> {
        let mut planned = self.planned.lock().unwrap();
        let next = |_| {
            let group = planned.iter().sum::<usize>() % GROUPS;
            planned[group] += 1;
            format!("{}-{group}.{}", self.name, planned[group])
        };
        (0..count).map(next).collect()
    }

    async fn send(&self, _host: &Host, items: &[String]) {
        let client = client(&endpoint());
        for chunk in items.chunks(10) {
            let entry = |(at, item): (usize, &String)| {
                let (unit, _) = item.rsplit_once('.').unwrap();
                SendMessageBatchRequestEntry::builder()
                    .id(at.to_string())
                    .message_body(item)
                    .set_message_group_id(FIFO.then(|| unit.to_owned()))
                    .build()
                    .unwrap()
            };
            let entries = chunk.iter().enumerate().map(entry).collect();
            let request = client.send_message_batch().queue_url(self.url());
            let sent = request.set_entries(Some(entries)).send().await.unwrap();
            assert!(sent.failed().is_empty(), "{sent:?}");
        }
    }

    fn lag(entry: &Value) -> Option<u64> {
        entry["waiting"].as_u64()
    }

    /// A request for messages that was open at the pause may still bring some.
    fn is_still(entry: &Value) -> bool {
        ["receives", "held", "in_flight"]
            .iter()
            .all(|count| entry[count] == 0)
    }

    async fn is_empty(&self) -> bool {
        count(&self.full_name).await == 0
    }

    async fn dead_letters(&self) -> u64 {
        count(&self.dead()).await
    }

    fn state_in(&self, outage: Outage) -> (&'static str, [String; 2]) {
        let queue = self.full_name.clone();
        match outage {
            Outage::Absent | Outage::Deleted => ("missing", [queue, "Create".into()]),
            Outage::Unreadable => ("stuck", [queue, "sqs:ReceiveMessage".into()]),
            Outage::Away => ("away", [queue, self.endpoint()]),
        }
    }

    async fn begin(&self, outage: Outage) {
        match outage {
            Outage::Absent | Outage::Deleted => {
                let delete = client(&endpoint()).delete_queue().queue_url(self.url());
                delete.send().await.unwrap();
            }
            Outage::Unreadable => {
                let refusing = refusing_http(400, ACCESS_DENIED).await;
                self.relay.as_ref().unwrap().redirect(refusing);
            }
            Outage::Away => self.relay.as_ref().unwrap().redirect(free_address().port()),
        }
        if let Some(relay) = &self.relay {
            relay.disconnect().await;
        }
    }

    async fn end(&self, _host: &Host, _outage: Outage) {
        match &self.relay {
            None => self.create().await,
            Some(relay) => {
                relay.redirect(server_port());
                relay.disconnect().await;
            }
        }
    }
}

fn server_port() -> u16 {
    let endpoint = endpoint();
    let (_, port) = endpoint.rsplit_once(':').expect("an endpoint with a port");
    port.parse().expect("a port")
}
