//! Kills the host (SIGKILL) at random times under load from Kafka, SQS and asynchronous
//! invocations, and restarts it in the same folder.
//!
//! `KILLS`: number of kills (default 10). `KILL_SEED`: repeats the times of a run.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};
use reqwest::StatusCode;
use tempfile::TempDir;
use testkit::eventually;
use testkit::net::free_address;
use tokio::time::sleep;

use crate::kafka_fixture::{KafkaFixture, random};
use crate::sqs_fixture::{client, endpoint};
use crate::support::project;

const PARTITIONS: i32 = 4;
/// From a start until its kill at most: several times what a start takes.
const LONGEST: Duration = Duration::from_millis(2_500);
/// Records of each partition in a round.
const AT_ONCE: i64 = 5;
/// Between two rounds of the load.
const PACE: Duration = Duration::from_millis(10);

/// What was accepted: by the broker, by the queue, and by the host with 202.
#[derive(Debug, Default)]
struct Sent {
    records: i64,
    messages: BTreeSet<String>,
    events: BTreeSet<String>,
}

struct World {
    fixture: KafkaFixture,
    queue: String,
    folder: TempDir,
    invoke: SocketAddr,
}

impl World {
    async fn new() -> Self {
        let fixture = KafkaFixture::new(PARTITIONS).await;
        let queue = format!("host-{}", random());
        let template = format!(
            "\
Transform: AWS::Serverless-2016-10-31
Resources:
  Work: {{Type: AWS::SQS::Queue, Properties: {{QueueName: {queue}, VisibilityTimeout: 4}}}}
  Echo:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: provided.al2023
      CodeUri: built
      Timeout: 3
      Environment: {{Variables: {{RECORD_TO: '{}'}}}}
      Events:
        Jobs:
          Type: SQS
          Properties: {{Queue: !GetAtt Work.Arn, FunctionResponseTypes: [ReportBatchItemFailures]}}
        Records:
          Type: SelfManagedKafka
          Properties:
            Topics: [{}]
            KafkaBootstrapServers: ['{}']
            ConsumerGroupId: {}
            BatchSize: 7
            FunctionResponseTypes: [ReportBatchItemFailures]
",
            fixture.folder.path().join("seen").display(),
            fixture.mapping.topics[0],
            fixture.mapping.bootstrap_servers,
            fixture.mapping.group,
        );
        Self {
            fixture,
            queue,
            folder: project(&template),
            invoke: free_address(),
        }
    }

    fn up(&self) -> Child {
        let control = free_address().to_string();
        let invoke = self.invoke.to_string();
        let arguments = [
            "up",
            "--control",
            &control,
            "--listen",
            &invoke,
            "--sqs-endpoint",
            &endpoint(),
        ];
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("log"))
            .unwrap();
        let mut usher = Command::new(env!("CARGO_BIN_EXE_usher"));
        usher
            .args(arguments)
            .current_dir(self.folder.path())
            .env_remove("RUST_LOG");
        usher
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    /// Sends to all three sources until `stop` turns true.
    async fn load(&self, stop: &AtomicBool) -> Sent {
        let mut sent = Sent::default();
        let queue = format!("{}/000000000000/{}", endpoint(), self.queue);
        let servers = &self.fixture.mapping.bootstrap_servers;
        let topic = &self.fixture.mapping.topics[0];
        let producer: FutureProducer = ClientConfig::new()
            .set("bootstrap.servers", servers)
            .set("linger.ms", "1")
            .create()
            .unwrap();
        let sqs = client(&endpoint());
        let http = reqwest::Client::new();
        let function = format!(
            "http://{}/2015-03-31/functions/Echo/invocations",
            self.invoke
        );
        for round in 0.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let values: Vec<String> = (sent.records..sent.records + AT_ONCE)
                .map(|value| value.to_string())
                .collect();
            let all = (0..PARTITIONS)
                .flat_map(|partition| values.iter().map(move |value| (partition, value)));
            let sends = all.map(|(partition, value)| {
                let record: FutureRecord<'_, (), String> =
                    FutureRecord::to(topic).partition(partition).payload(value);
                producer.send(record, Duration::from_secs(30))
            });
            for taken in futures::future::join_all(sends).await {
                taken.unwrap();
            }
            sent.records += AT_ONCE;
            // the host makes its queue when it first starts
            let message = format!("message-{round}");
            if sqs
                .send_message()
                .queue_url(&queue)
                .message_body(&message)
                .send()
                .await
                .is_ok()
            {
                sent.messages.insert(message);
            }
            let event = format!("event-{round}");
            let body = serde_json::json!({ "do": "record", "text": &event }).to_string();
            let asked = http
                .post(&function)
                .header("X-Amz-Invocation-Type", "Event")
                .body(body)
                .send()
                .await;
            if asked.is_ok_and(|answer| answer.status() == StatusCode::ACCEPTED) {
                sent.events.insert(event);
            }
            sleep(PACE).await;
        }
        sent
    }

    fn seen(&self) -> Seen {
        let text =
            std::fs::read_to_string(self.fixture.folder.path().join("seen")).unwrap_or_default();
        let mut seen = Seen::default();
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                [event] => _ = seen.events.insert(event.to_owned()),
                [partition, offset, value] => {
                    let partition = partition.rsplit_once('-').unwrap().1.parse().unwrap();
                    assert_eq!(offset, value, "a partition's values count its records");
                    seen.records
                        .entry(partition)
                        .or_default()
                        .push(offset.parse().unwrap());
                }
                [_id, _receives, _batch, "done", message] => {
                    _ = seen.messages.insert(message.to_owned());
                }
                _ => panic!("the function wrote {line:?}"),
            }
        }
        seen
    }
}

#[derive(Debug, Default)]
struct Seen {
    /// Offsets of each partition, in the order in which they were handled.
    records: BTreeMap<i32, Vec<i64>>,
    messages: BTreeSet<String>,
    events: BTreeSet<String>,
}

impl Seen {
    fn has_all(&self, sent: &Sent) -> bool {
        let all = |records: &Vec<i64>| records.iter().max() == Some(&(sent.records - 1));
        self.records.len() == PARTITIONS as usize
            && self.records.values().all(all)
            && self.messages.is_superset(&sent.messages)
            && self.events.is_superset(&sent.events)
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is no number"))
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_host_repeats_only_uncommitted_records() {
    let kills = number("KILLS").unwrap_or(10);
    let seed = number("KILL_SEED").unwrap_or_else(rand::random);
    let mut moments = StdRng::seed_from_u64(seed);
    let world = Arc::new(World::new().await);
    let stop = Arc::new(AtomicBool::new(false));
    let load = tokio::spawn({
        let world = world.clone();
        let stop = stop.clone();
        async move { world.load(&stop).await }
    });
    // after each kill: how many records of each partition had been handled, and from where the next
    // host reads
    let mut reads_from = Vec::new();
    for _ in 0..kills {
        let mut host = world.up();
        sleep(moments.random_range(Duration::ZERO..LONGEST)).await;
        assert!(
            host.try_wait().unwrap().is_none(),
            "KILL_SEED={seed}: the host ended by itself"
        );
        host.kill().unwrap();
        host.wait().unwrap();
        let seen = world.seen();
        for partition in 0..PARTITIONS {
            let handled = seen.records.get(&partition).map_or(0, Vec::len);
            reads_from.push((
                partition,
                handled,
                world.fixture.committed(partition).await.unwrap_or(0),
            ));
        }
    }
    let mut host = world.up();
    stop.store(true, Ordering::Relaxed);
    let sent = load.await.unwrap();
    eventually(
        &format!("KILL_SEED={seed}: everything that was accepted is done"),
        async || world.seen().has_all(&sent).then_some(()),
    )
    .await;
    host.kill().unwrap();
    host.wait().unwrap();

    assert!(
        !sent.messages.is_empty() && !sent.events.is_empty(),
        "KILL_SEED={seed}: the load reached the host"
    );
    for (partition, offsets) in world.seen().records {
        for (_, handled, committed) in reads_from.iter().filter(|(of, _, _)| *of == partition) {
            let repeated = offsets[*handled..]
                .iter()
                .find(|offset| *offset < committed);
            assert_eq!(
                repeated, None,
                "KILL_SEED={seed}: partition {partition} was committed up to {committed}"
            );
        }
        let mut next = 0;
        let mut back = 0;
        for offset in offsets {
            assert!(
                offset <= next,
                "KILL_SEED={seed}: partition {partition} went from {} to {offset}",
                next - 1
            );
            back += u64::from(offset < next);
            next = offset + 1;
        }
        assert!(
            back <= kills,
            "KILL_SEED={seed}: partition {partition} was read again {back} times after {kills} \
             kills"
        );
        assert_eq!(
            next, sent.records,
            "KILL_SEED={seed}: partition {partition}"
        );
    }
}
