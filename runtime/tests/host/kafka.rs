//! Real Kafka, real functions: nothing lost, order kept, commits only for what is done.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tempfile::TempDir;
use tokio::sync::watch;
use usher::instances::Pool;
use usher::kafka::{self, Handle, Limits};
use usher::model::{Function, KafkaKind, KafkaMapping, KafkaSecurity, StartingPosition};
use usher::supervision::Registry;

use crate::own_kafka::OwnKafka;
use crate::support::{eventually, function, pool};

/// The shared broker.
fn brokers() -> String {
    let port = std::env::var("KAFKA_PORT").unwrap_or_else(|_| "19092".into());
    std::env::var("KAFKA_BROKERS").unwrap_or_else(|_| format!("127.0.0.1:{port}"))
}

/// A topic of its own, a function that appends what it sees to a file, and a mapping between them.
pub(crate) struct Stage {
    brokers: String,
    pub(crate) mapping: KafkaMapping,
    pub(crate) folder: TempDir,
    pool: Arc<Pool>,
    pub(crate) limits: Limits,
}

pub(crate) struct Running {
    pub(crate) handle: Handle,
    stop: watch::Sender<bool>,
}

impl Running {
    pub(crate) async fn drain(self) {
        self.stop.send(true).unwrap();
        self.handle.ended().await.unwrap();
    }
}

impl Stage {
    pub(crate) async fn new(partitions: i32) -> Self {
        Self::at(brokers(), partitions).await
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
        let limits = Limits {
            in_flight: 4,
            buffer_bytes: 16 << 20,
            drain: Duration::from_secs(20),
            host_id: random(),
            sqs: None,
            aws_timing: false,
            function_arn: "arn:echo".into(),
            parts: Registry::default(),
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

    /// A further topic of the same cluster.
    pub(crate) async fn another_topic(&self, partitions: i32) -> String {
        new_topic(&self.brokers, partitions).await
    }

    fn topic(&self) -> &str {
        &self.mapping.topics[0]
    }

    pub(crate) fn start(&self) -> Running {
        let (stop, stopping) = watch::channel(false);
        let handle = kafka::start(
            self.mapping.clone(),
            &self.limits,
            self.pool.clone(),
            stopping,
        )
        .unwrap();
        Running { handle, stop }
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

    /// (partition, offset, value) of every record that the function processed, in the order it did.
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
        eventually("the function saw every record", async || {
            Some(self.seen()).filter(|seen| seen.len() >= count)
        })
        .await
    }

    pub(crate) async fn committed(&self, partition: i32) -> Option<i64> {
        let brokers = self.brokers.clone();
        let group = self.mapping.group.clone();
        let topic = self.topic().to_owned();
        let question = tokio::task::spawn_blocking(move || {
            let consumer: BaseConsumer = ClientConfig::new()
                .set("bootstrap.servers", &brokers)
                .set("group.id", group)
                .create()
                .unwrap();
            let mut list = TopicPartitionList::new();
            list.add_partition(&topic, partition);
            // a broker that has just started may not coordinate the group yet
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
        question.await.unwrap()
    }

    fn marker(&self, name: &str) -> String {
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_at_any_moment_of_the_first_assignment_ends() {
    let mut stuck = Vec::new();
    for ms in (0..160).step_by(4) {
        let stage = Stage::new(4).await;
        let running = stage.start();
        tokio::time::sleep(Duration::from_millis(ms)).await;
        let patience = usher::kafka::LEAVING + Duration::from_secs(10);
        if tokio::time::timeout(patience, running.drain())
            .await
            .is_err()
        {
            stuck.push(ms);
        }
    }
    assert!(
        stuck.is_empty(),
        "those that were told to drain after so many milliseconds: {stuck:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_record_reaches_the_function_once_in_order_and_is_committed() {
    let stage = Stage::new(4).await;
    for partition in 0..4 {
        stage.produce(partition, &values(0..300)).await;
    }
    let running = stage.start();
    let seen = stage.eventually_seen(1_200).await;
    for partition in 0..4 {
        let offsets: Vec<i64> = seen
            .iter()
            .filter(|r| r.0 == partition)
            .map(|r| r.1)
            .collect();
        assert_eq!(
            offsets,
            (0..300).collect::<Vec<_>>(),
            "partition {partition}"
        );
    }
    eventually("the status says so", async || {
        (running.handle.status().records_done == 1_200).then_some(())
    })
    .await;
    running.drain().await;
    for partition in 0..4 {
        assert_eq!(stage.committed(partition).await, Some(300));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_record_holds_back_its_own_partition_only_and_nothing_before_it_is_repeated() {
    let stage = Stage::new(2).await;
    let others = values(100..120);
    let mut values = values(0..20);
    values[7] = format!("partial-once:{}", stage.marker("seven"));
    stage.produce(0, &values).await;
    stage.produce(1, &others).await;
    let running = stage.start();
    let seen = stage.eventually_seen(40).await;
    running.drain().await;
    let offsets = |partition| {
        seen.iter()
            .filter(|r| r.0 == partition)
            .map(|r| r.1)
            .collect::<Vec<_>>()
    };
    // the function itself went on behind the failed record; the retry begins at it
    let mut first = offsets(0);
    let before = first.drain(..7).collect::<Vec<_>>();
    assert_eq!(before, (0..7).collect::<Vec<_>>());
    assert_eq!(first.iter().filter(|offset| **offset == 7).count(), 1);
    assert!(first.iter().all(|offset| *offset >= 7), "{first:?}");
    assert_eq!(offsets(1), (0..20).collect::<Vec<_>>());
    assert_eq!(stage.committed(0).await, Some(20));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_that_fails_or_crashes_mid_batch_gets_the_batch_again() {
    let stage = Stage::new(1).await;
    let mut values = values(0..30);
    values[3] = format!("fail-once:{}", stage.marker("three"));
    values[20] = format!("crash-once:{}", stage.marker("twenty"));
    stage.produce(0, &values).await;
    let running = stage.start();
    eventually("the last record is done", async || {
        stage.seen().iter().any(|r| r.1 == 29).then_some(())
    })
    .await;
    running.drain().await;
    let mut offsets: Vec<i64> = stage.seen().iter().map(|r| r.1).collect();
    offsets.sort_unstable();
    offsets.dedup();
    assert_eq!(offsets, (0..30).collect::<Vec<_>>());
    assert_eq!(stage.committed(0).await, Some(30));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hanging_batch_times_out_and_is_tried_again() {
    let mut stage = Stage::new(1).await;
    stage.pool = pool(Function {
        timeout: Duration::from_secs(1),
        ..recording(&stage.folder)
    });
    stage
        .produce(
            0,
            &[
                format!("hang-once:{}", stage.marker("hang")),
                "later".into(),
            ],
        )
        .await;
    let running = stage.start();
    let seen = stage.eventually_seen(2).await;
    running.drain().await;
    assert_eq!(seen.iter().map(|r| r.1).collect::<Vec<_>>(), [0, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_host_goes_on_where_it_was_and_repeats_nothing() {
    let stage = Stage::new(1).await;
    stage.produce(0, &values(0..10)).await;
    let running = stage.start();
    stage.eventually_seen(10).await;
    running.drain().await;
    stage.produce(0, &values(10..20)).await;
    let running = stage.start();
    let seen = stage.eventually_seen(20).await;
    running.drain().await;
    assert_eq!(
        seen.iter().map(|r| r.1).collect::<Vec<_>>(),
        (0..20).collect::<Vec<_>>()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_starts_at_the_end_skips_what_was_there_and_misses_nothing_after() {
    let mut stage = Stage::new(1).await;
    stage.mapping.start = StartingPosition::Latest;
    stage.produce(0, &values(0..5)).await;
    let running = stage.start();
    eventually("the start is committed", async || stage.committed(0).await).await;
    running.drain().await;
    // written while no host ran: after the group's first assignment, so not to be skipped
    stage.produce(0, &values(5..8)).await;
    let running = stage.start();
    let seen = stage.eventually_seen(3).await;
    running.drain().await;
    assert_eq!(seen.iter().map(|r| r.1).collect::<Vec<_>>(), [5, 6, 7]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn retries_that_run_out_give_up_the_record_and_go_on() {
    let mut stage = Stage::new(1).await;
    stage.mapping.max_retries = Some(0);
    stage.mapping.bisect = true;
    let mut values = values(0..8);
    // not text: the function fails on it every time
    values[5] = "fail-once:/nonexistent/folder/marker".into();
    stage.produce(0, &values).await;
    let running = stage.start();
    eventually("the last record is done", async || {
        stage.seen().iter().any(|r| r.1 == 7).then_some(())
    })
    .await;
    eventually("one record is discarded", async || {
        (running.handle.status().records_discarded == 1).then_some(())
    })
    .await;
    running.drain().await;
    assert!(!stage.seen().iter().any(|r| r.1 == 5));
    assert_eq!(stage.committed(0).await, Some(8));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_goes_away_is_waited_for_and_nothing_is_lost() {
    let kafka = OwnKafka::start();
    let stage = Stage::at(kafka.brokers(), 2).await;
    stage.produce(0, &values(0..10)).await;
    let running = stage.start();
    stage.eventually_seen(10).await;
    kafka.stop();
    kafka.start_again();
    stage.produce(0, &values(10..20)).await;
    stage.produce(1, &values(20..30)).await;
    stage.eventually_seen(30).await;
    running.drain().await;
    let mut seen: Vec<_> = stage.seen().into_iter().map(|r| (r.0, r.1)).collect();
    seen.sort_unstable();
    seen.dedup();
    let expected: Vec<(i32, i64)> = (0..20)
        .map(|n| (0, n))
        .chain((0..10).map(|n| (1, n)))
        .collect();
    assert_eq!(seen, expected);
    assert_eq!(
        (stage.committed(0).await, stage.committed(1).await),
        (Some(20), Some(10))
    );
}

/// An address on which nothing listens.
pub(crate) fn free_address() -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}
