//! A mapping of a Kafka topic, on a real broker, to the echo function.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use sam_template::model::{Function, KafkaKind, KafkaMapping, KafkaSecurity, StartingPosition};
use tempfile::TempDir;
use testkit::eventually;
use usher::instances::Pool;
use usher::sources::kafka::{KafkaEventSource, KafkaLimits};
use usher::supervision::ComponentRegistry;

use crate::support::{self, function, pool};

/// A topic, a function that appends each record to a file, and a mapping between them.
pub(crate) struct KafkaFixture {
    brokers: String,
    pub(crate) mapping: KafkaMapping,
    pub(crate) folder: TempDir,
    pub(crate) pool: Arc<Pool>,
    pub(crate) limits: KafkaLimits,
}

pub(crate) type Running = support::Running<KafkaEventSource>;

impl KafkaFixture {
    pub(crate) async fn new(partitions: i32) -> Self {
        Self::at(testkit::servers::brokers(), partitions).await
    }

    pub(crate) async fn at(brokers: String, partitions: i32) -> Self {
        let topic = new_topic(&brokers, partitions).await;
        let mapping = KafkaMapping {
            id: "EchoEvents".into(),
            function: "Echo".into(),
            bootstrap_servers: brokers.clone(),
            security: KafkaSecurity::default(),
            kind: KafkaKind::SelfManaged,
            group: format!("{topic}-group"),
            topics: vec![topic],
            start: StartingPosition::TrimHorizon,
            batch_size: 50,
            batching_window: Duration::ZERO,
            partial_responses: true,
            bisect: false,
            max_retries: None,
            max_age: None,
            on_failure: None,
            filters: None,
            enabled: true,
        };
        let folder = tempfile::tempdir().unwrap();
        let pool = pool(recording(&folder));
        let limits = KafkaLimits {
            in_flight: 4,
            buffer_bytes: 16 << 20,
            drain: Duration::from_secs(20),
            host_id: random(),
            sqs: None,
            aws_timing: false,
            function_arn: "arn:echo".into(),
            parts: ComponentRegistry::default(),
            state: None,
        };
        Self {
            brokers,
            mapping,
            folder,
            pool,
            limits,
        }
    }

    /// Reaches the cluster by another address from here on.
    pub(crate) fn reach_by(&mut self, brokers: String) {
        self.mapping.bootstrap_servers.clone_from(&brokers);
        self.brokers = brokers;
    }

    /// A further topic of the same cluster.
    pub(crate) async fn another_topic(&self, partitions: i32) -> String {
        new_topic(&self.brokers, partitions).await
    }

    pub(crate) fn topic(&self) -> &str {
        &self.mapping.topics[0]
    }

    pub(crate) fn start(&self) -> Running {
        let invoker = self.pool.clone();
        let source = KafkaEventSource::open(self.mapping.clone(), &self.limits, invoker);
        Running::start(source.unwrap(), &self.limits.parts)
    }

    pub(crate) async fn produce(&self, partition: i32, values: &[String]) {
        let producer: FutureProducer = ClientConfig::new()
            .set("bootstrap.servers", &self.brokers)
            .set("linger.ms", "5")
            .create()
            .unwrap();
        let sends = values.iter().map(|value| {
            let record: FutureRecord<'_, (), String> = FutureRecord::to(self.topic())
                .partition(partition)
                .payload(value);
            producer.send(record, Duration::from_secs(30))
        });
        for sent in futures::future::join_all(sends).await {
            sent.unwrap();
        }
    }

    /// Partition, offset and value of every processed record, in the order of processing.
    pub(crate) fn seen(&self) -> Vec<(i32, i64, String)> {
        let text = std::fs::read_to_string(record_file(&self.folder)).unwrap_or_default();
        let line = |line: &str| {
            let mut words = line.split(' ');
            let (_, partition) = words.next().unwrap().rsplit_once('-').unwrap();
            let offset = words.next().unwrap().parse().unwrap();
            (
                partition.parse().unwrap(),
                offset,
                words.collect::<Vec<_>>().join(" "),
            )
        };
        text.lines().map(line).collect()
    }

    pub(crate) async fn eventually_seen(&self, count: usize) -> Vec<(i32, i64, String)> {
        eventually("the function has processed every record", async || {
            Some(self.seen()).filter(|seen| seen.len() >= count)
        })
        .await
    }

    pub(crate) async fn committed(&self, partition: i32) -> Option<i64> {
        let brokers = self.brokers.clone();
        let group = self.mapping.group.clone();
        let topic = self.topic().to_owned();
        let request = tokio::task::spawn_blocking(move || {
            let consumer: BaseConsumer = ClientConfig::new()
                .set("bootstrap.servers", &brokers)
                .set("group.id", group)
                .create()
                .unwrap();
            let mut list = TopicPartitionList::new();
            list.add_partition(&topic, partition);
            // a new broker may not be the coordinator of the group yet
            let committed = (0..50).find_map(|_| {
                consumer
                    .committed_offsets(list.clone(), Duration::from_secs(20))
                    .ok()
            });
            match committed.unwrap().elements()[0].offset() {
                Offset::Offset(offset) => Some(offset),
                _ => None,
            }
        });
        request.await.unwrap()
    }

    pub(crate) fn marker(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }
}

async fn new_topic(brokers: &str, partitions: i32) -> String {
    let topic = format!("host-{}", random());
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", brokers)
        .create()
        .unwrap();
    let new = NewTopic::new(&topic, partitions, TopicReplication::Fixed(1));
    let created = admin.create_topics(&[new], &AdminOptions::new()).await;
    created.expect("Kafka answers: start it with `scripts/servers start kafka`")[0]
        .as_ref()
        .unwrap();
    topic
}

fn record_file(folder: &TempDir) -> PathBuf {
    folder.path().join("seen")
}

pub(crate) fn recording(folder: &TempDir) -> Function {
    function(&[("RECORD_TO", record_file(folder).to_str().unwrap())])
}

pub(crate) fn random() -> String {
    format!("{:016x}", rand::random::<u64>())
}

pub(crate) fn values(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("value {n}")).collect()
}
