//! One host under good records and every kind of bad input at once; what was sent and what was handled agree to the unit.
//!
//! `MIXED_SECONDS` sets the duration (10 if absent). Each second 200 good records arrive over four partitions and five of each
//! kind: header names that are not UTF-8, batches compressed with zstd, committed and aborted transactions, records that always
//! fail, records whose failure record exceeds the destination's limit, and records that are deleted once they are acknowledged (the
//! host may read them before). Every 30 seconds a second member with the mapping's static identity fences it.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer, StreamConsumer};
use rdkafka::message::Message;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde_json::Value;
use tempfile::TempDir;
use testkit::eventually;
use testkit::net::free_address;
use testkit::process::KillOnDrop;
use tokio::task::{JoinHandle, block_in_place};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::kafka::Stage;
use crate::oversize::topic;
use crate::raw_kafka;
use crate::support::project;

const PARTITIONS: i32 = 4;
/// Between two rounds of bad input: five a second.
const ROUND: Duration = Duration::from_millis(200);
/// Good records of each partition in a round: 200 a second over four partitions.
const GOOD: usize = 10;
/// Rounds between two fencings: 30 seconds.
const FENCING: usize = 150;
/// The round of the first fencing.
const FIRST_FENCING: usize = 20;
/// Random bytes in an oversize record: as text 900 kB, which its topic takes. Its failure record, in base64 once more, exceeds
/// [`DESTINATION_LIMIT`] however well it is compressed.
const OVERSIZE: usize = 675_000;
/// Bytes of a batch that the destination takes.
const DESTINATION_LIMIT: &str = "500000";
const SECONDS: Duration = Duration::from_secs(30);

/// (partition, offset) in the main topic.
type Position = (i32, i64);

/// What the brokers acknowledged.
#[derive(Debug, Default)]
struct Sent {
    /// Values that the function must handle.
    good: BTreeSet<String>,
    /// Values of aborted transactions, which no function may get.
    aborted: BTreeSet<String>,
    /// Values in the second topic that may be deleted before they are read.
    deleted: BTreeSet<String>,
    /// Records that always fail: the destination gets each of them whole.
    failing: BTreeSet<Position>,
    /// Records that always fail and are too large for the destination: it gets each of them without its payload.
    oversize: BTreeSet<Position>,
}

struct World {
    stage: Stage,
    /// Its records are deleted.
    second: String,
    destination: String,
    folder: TempDir,
    control: String,
}

impl World {
    async fn new() -> Self {
        let stage = Stage::new(PARTITIONS).await;
        let second = stage.another_topic(1).await;
        let destination = topic(&stage, "max.message.bytes", DESTINATION_LIMIT).await;
        let servers = &stage.mapping.bootstrap_servers;
        let topic = &stage.mapping.topics[0];
        let group = &stage.mapping.group;
        let seen = stage.folder.path().join("seen");
        let template = format!(
            "\
Transform: AWS::Serverless-2016-10-31
Resources:
  Echo:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: provided.al2023
      CodeUri: built
      Timeout: 10
      Environment: {{Variables: {{RECORD_TO: '{}'}}}}
      Events:
        Main:
          Type: SelfManagedKafka
          Properties:
            Topics: [{topic}]
            KafkaBootstrapServers: ['{servers}']
            ConsumerGroupId: {group}
            FunctionResponseTypes: [ReportBatchItemFailures]
            BisectBatchOnFunctionError: true
            MaximumRetryAttempts: 1
            DestinationConfig: {{OnFailure: {{Destination: 'kafka://{destination}'}}}}
        Second:
          Type: SelfManagedKafka
          Properties:
            Topics: [{second}]
            KafkaBootstrapServers: ['{servers}']
            ConsumerGroupId: {group}-second
            FunctionResponseTypes: [ReportBatchItemFailures]
",
            seen.display(),
        );
        let folder = project(&template);
        Self {
            stage,
            second,
            destination,
            folder,
            control: free_address().to_string(),
        }
    }

    fn up(&self) -> KillOnDrop {
        let log = std::fs::File::create(self.folder.path().join("log")).unwrap();
        let mut usher = Command::new(env!("CARGO_BIN_EXE_usher"));
        usher
            .args(["up", "--control", &self.control])
            .current_dir(self.folder.path())
            .env_remove("RUST_LOG");
        KillOnDrop(
            usher
                .stdin(Stdio::null())
                .stdout(log.try_clone().unwrap())
                .stderr(log)
                .spawn()
                .unwrap(),
        )
    }

    fn topic(&self) -> &str {
        &self.stage.mapping.topics[0]
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.stage.mapping.bootstrap_servers)
            .set("linger.ms", "1");
        config
    }

    /// Values that the function processed.
    fn handled(&self) -> BTreeSet<String> {
        let text =
            std::fs::read_to_string(self.stage.folder.path().join("seen")).unwrap_or_default();
        text.lines()
            .map(|line| line.splitn(3, ' ').nth(2).unwrap().to_owned())
            .collect()
    }

    /// Everything in the destination once both kinds of failure records are there: (whole, without payload).
    async fn failure_records(&self, sent: &Sent) -> (BTreeSet<Position>, BTreeSet<Position>) {
        let consumer: StreamConsumer = self
            .client()
            .set("group.id", crate::kafka::random())
            .set("auto.offset.reset", "earliest")
            .create()
            .unwrap();
        consumer.subscribe(&[&self.destination]).unwrap();
        let mut whole = BTreeSet::new();
        let mut reduced = BTreeSet::new();
        while whole.len() < sent.failing.len() || reduced.len() < sent.oversize.len() {
            let next = tokio::time::timeout(Duration::from_secs(60), consumer.recv()).await;
            let Ok(message) = next else {
                let log =
                    std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
                let failing = sent.failing.len();
                let oversize = sent.oversize.len();
                panic!(
                    "the destination has {} of {failing} and {} of {oversize}; the host's log:\n{log}",
                    whole.len(),
                    reduced.len()
                );
            };
            let message = message.unwrap();
            let record: Value = serde_json::from_slice(message.payload().unwrap()).unwrap();
            if let Some(records) = record["payload"]["records"].as_object() {
                whole.extend(
                    records
                        .values()
                        .flat_map(|records| records.as_array().unwrap())
                        .map(position),
                );
            } else {
                reduced.insert(position(&record["payloadOmitted"]));
            }
        }
        (whole, reduced)
    }
}

/// Where a record stood, as the event and the failure record name it.
fn position(of: &Value) -> Position {
    let number = |name: &str| {
        of[name]
            .as_i64()
            .or_else(|| of[name].as_str()?.parse().ok())
    };
    let both = number("partition").zip(number("offset"));
    let (partition, offset) = both.unwrap_or_else(|| panic!("{of} names partition and offset"));
    (partition as i32, offset)
}

/// What produces the load, with its connections.
struct Load<'a> {
    world: &'a World,
    plain: FutureProducer,
    zstd: FutureProducer,
    transactional: FutureProducer,
    admin: AdminClient<DefaultClientContext>,
    /// Value of each oversize record.
    oversize: String,
    /// Whether each fencing took the partitions.
    fencings: Vec<JoinHandle<bool>>,
    sent: Sent,
}

impl<'a> Load<'a> {
    fn new(world: &'a World) -> Self {
        let transactional: FutureProducer = world
            .client()
            .set("transactional.id", world.topic())
            .create()
            .unwrap();
        transactional.init_transactions(SECONDS).unwrap();
        Self {
            world,
            plain: world.client().create().unwrap(),
            zstd: world
                .client()
                .set("compression.type", "zstd")
                .create()
                .unwrap(),
            transactional,
            admin: world.client().create().unwrap(),
            oversize: format!(
                "always-partial {}",
                STANDARD.encode(rand::random_iter().take(OVERSIZE).collect::<Vec<u8>>())
            ),
            fencings: Vec::new(),
            sent: Sent::default(),
        }
    }

    async fn send(
        producer: &FutureProducer,
        topic: &str,
        partition: i32,
        values: &[String],
    ) -> Vec<Position> {
        let sends = values.iter().map(|value| {
            let record: FutureRecord<'_, (), String> =
                FutureRecord::to(topic).partition(partition).payload(value);
            producer.send(record, SECONDS)
        });
        let sent = futures::future::join_all(sends).await;
        sent.into_iter()
            .map(|sent| sent.map(|sent| (sent.partition, sent.offset)).unwrap())
            .collect()
    }

    async fn round(&mut self, round: usize) {
        let topic = self.world.topic();
        let partition = (round % PARTITIONS as usize) as i32;
        for partition in 0..PARTITIONS {
            let values: Vec<String> = (0..GOOD)
                .map(|n| format!("good {partition} {round} {n}"))
                .collect();
            Self::send(&self.plain, topic, partition, &values).await;
            self.sent.good.extend(values);
        }

        let odd = format!("odd header {round}");
        let headers: [(&[u8], Option<&[u8]>); 2] = [(b"tr\xe4ce", Some(b"1")), (b"a\0b", None)];
        let servers = &self.world.stage.mapping.bootstrap_servers;
        block_in_place(|| raw_kafka::produce(servers, topic, partition, odd.as_bytes(), &headers));
        self.sent.good.insert(odd);

        let compressed = format!("zstd {round} {}", "x".repeat(2_000));
        Self::send(
            &self.zstd,
            topic,
            partition,
            std::slice::from_ref(&compressed),
        )
        .await;
        self.sent.good.insert(compressed);

        for (commits, value) in [
            (true, format!("committed {round}")),
            (false, format!("aborted {round}")),
        ] {
            self.transactional.begin_transaction().unwrap();
            Self::send(
                &self.transactional,
                topic,
                partition,
                std::slice::from_ref(&value),
            )
            .await;
            if commits {
                block_in_place(|| self.transactional.commit_transaction(SECONDS)).unwrap();
                self.sent.good.insert(value);
            } else {
                block_in_place(|| self.transactional.abort_transaction(SECONDS)).unwrap();
                self.sent.aborted.insert(value);
            }
        }

        let failing = Self::send(
            &self.plain,
            topic,
            partition,
            &["always-partial".to_owned()],
        )
        .await;
        self.sent.failing.extend(failing);
        self.sent.oversize.extend(
            Self::send(
                &self.plain,
                topic,
                partition,
                std::slice::from_ref(&self.oversize),
            )
            .await,
        );

        let second = &self.world.second;
        let deleted = format!("deleted {round}");
        let kept = format!("kept {round}");
        let end = Self::send(&self.plain, second, 0, std::slice::from_ref(&deleted)).await[0].1 + 1;
        self.sent.deleted.insert(deleted);
        let mut before = TopicPartitionList::new();
        before
            .add_partition_offset(second, 0, Offset::Offset(end))
            .unwrap();
        self.admin
            .delete_records(&before, &AdminOptions::new())
            .await
            .unwrap();
        Self::send(&self.plain, second, 0, std::slice::from_ref(&kept)).await;
        self.sent.good.insert(kept);

        if round % FENCING == FIRST_FENCING {
            let config = self.world.client();
            let group = self.world.stage.mapping.group.clone();
            let topic = topic.to_owned();
            self.fencings.push(tokio::task::spawn_blocking(move || {
                fence(config, &group, &topic)
            }));
        }
    }
}

/// Joins the group with the static identity of the member that it has, until this member has its partitions, then leaves. Whether it
/// got that far within 20 s.
fn fence(mut config: ClientConfig, group: &str, topic: &str) -> bool {
    let probe: BaseConsumer = config.create().unwrap();
    let groups = probe.fetch_group_list(Some(group), SECONDS).unwrap();
    let mut members = groups
        .groups()
        .iter()
        .flat_map(rdkafka::groups::GroupInfo::members);
    let Some(member) = members.next() else {
        return false;
    };
    // Kafka names a static member by its instance and a UUID
    let instance = &member.id()[..member.id().len() - 37];
    config
        .set("group.id", group)
        .set("group.instance.id", instance)
        .set("enable.auto.commit", "false");
    // a static member keeps its partitions until its session ends: the shortest that the broker accepts
    config
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("session.timeout.ms", "6000");
    let intruder: BaseConsumer = config.create().unwrap();
    intruder.subscribe(&[topic]).unwrap();
    let until = std::time::Instant::now() + Duration::from_secs(20);
    while intruder.assignment().unwrap().count() == 0 && std::time::Instant::now() < until {
        let _ = intruder.poll(Duration::from_millis(100));
    }
    intruder.assignment().unwrap().count() > 0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_agree_under_a_mixed_load_of_bad_input() {
    let seconds = std::env::var("MIXED_SECONDS")
        .map_or(10, |text| text.parse().expect("MIXED_SECONDS is a number"));
    let world = World::new().await;
    let mut host = world.up();
    eventually("the host answers", async || {
        reqwest::get(format!("http://{}/health", world.control))
            .await
            .ok()
    })
    .await;

    let mut load = Load::new(&world);
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut ticks = interval(ROUND);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for round in 0.. {
        ticks.tick().await;
        load.round(round).await;
        if Instant::now() > end {
            break;
        }
    }
    let sent = load.sent;
    let fencings = futures::future::join_all(load.fencings).await;
    let mut handled = world.handled();
    while !handled.is_superset(&sent.good) {
        let before = handled.len();
        let more = async || Some(world.handled()).filter(|now| now.len() > before);
        handled = eventually("further records are handled", more).await;
    }
    let (whole, reduced) = world.failure_records(&sent).await;
    assert!(
        host.0.try_wait().unwrap().is_none(),
        "the host that was started still runs"
    );
    let fenced = fencings
        .iter()
        .filter(|fenced| *fenced.as_ref().unwrap())
        .count();
    assert!(
        fenced > 0,
        "a second member took the partitions over, and the mapping came back"
    );
    println!(
        "in {seconds} s: {} good records handled, {} aborted ones kept out, {} failing in the destination, {} of them without \
         payload, {} of {} read before their deletion, fenced {} times",
        sent.good.len(),
        sent.aborted.len(),
        whole.len() + reduced.len(),
        reduced.len(),
        handled.intersection(&sent.deleted).count(),
        sent.deleted.len(),
        fenced,
    );

    let more: Vec<_> = handled
        .difference(&sent.good)
        .filter(|value| !sent.deleted.contains(*value))
        .collect();
    assert_eq!(more, Vec::<&String>::new(), "nothing else was handled");
    assert_eq!(
        (whole, reduced),
        (sent.failing, sent.oversize),
        "the destination has each failing record"
    );
}
