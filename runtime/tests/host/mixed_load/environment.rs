//! Topics, destination and host of the test, and what can be read from them.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::message::Message;
use serde_json::Value;
use tempfile::TempDir;
use testkit::net::free_address;
use testkit::process::KillOnDrop;

use super::input::{DESTINATION_LIMIT, PARTITIONS};
use crate::kafka_fixture::KafkaFixture;
use crate::oversize::topic;
use crate::support::project;

/// Partition and offset in the main topic.
pub(super) type Position = (i32, i64);

/// The records that the brokers acknowledged.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// Values that the function has to process.
    pub(super) good: BTreeSet<String>,
    /// Values of aborted transactions, which the function must not receive.
    pub(super) aborted: BTreeSet<String>,
    /// Values in the second topic that may be deleted before they are read.
    pub(super) deleted: BTreeSet<String>,
    /// How often the second topic was emptied.
    pub(super) deletions: usize,
    /// Records that always fail: the destination receives each of them with its payload.
    pub(super) failing: BTreeSet<Position>,
    /// Records that always fail and exceed the limit of the destination: it receives each of them
    /// without its payload.
    pub(super) oversize: BTreeSet<Position>,
}

pub(super) struct TestEnvironment {
    pub(super) fixture: KafkaFixture,
    /// A topic whose records are deleted.
    pub(super) second: String,
    pub(super) destination: String,
    pub(super) folder: TempDir,
    pub(super) control: String,
}

/// A failed test shows what the host has logged.
impl Drop for TestEnvironment {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.path().join("log"));
            eprintln!("the host's log:\n{}", log.unwrap_or_default());
        }
    }
}

impl TestEnvironment {
    pub(super) async fn new() -> Self {
        let fixture = KafkaFixture::new(PARTITIONS).await;
        let second = fixture.another_topic(1).await;
        let destination = topic(&fixture, "max.message.bytes", DESTINATION_LIMIT).await;
        let servers = &fixture.mapping.bootstrap_servers;
        let topic = &fixture.mapping.topics[0];
        let group = &fixture.mapping.group;
        let seen = fixture.folder.path().join("seen");
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
            fixture,
            second,
            destination,
            folder,
            control: free_address().to_string(),
        }
    }

    pub(super) fn up(&self) -> KillOnDrop {
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

    pub(super) fn topic(&self) -> &str {
        &self.fixture.mapping.topics[0]
    }

    pub(super) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.fixture.mapping.bootstrap_servers)
            .set("linger.ms", "1");
        config
    }

    /// Values that the function processed.
    pub(super) fn processed(&self) -> BTreeSet<String> {
        let text =
            std::fs::read_to_string(self.fixture.folder.path().join("seen")).unwrap_or_default();
        // the last line may be incomplete while a function writes it
        let complete = &text[..text.rfind('\n').unwrap_or(0)];
        complete
            .lines()
            .map(|line| line.splitn(3, ' ').nth(2).unwrap().to_owned())
            .collect()
    }

    /// The failure records in the destination, once all have arrived: with and without payload.
    pub(super) async fn failure_records(
        &self,
        sent: &Sent,
    ) -> (BTreeSet<Position>, BTreeSet<Position>) {
        let consumer: StreamConsumer = self
            .client()
            .set("group.id", crate::kafka_fixture::random())
            .set("auto.offset.reset", "earliest")
            .create()
            .unwrap();
        consumer.subscribe(&[&self.destination]).unwrap();
        let mut whole = BTreeSet::new();
        let mut reduced = BTreeSet::new();
        while whole.len() < sent.failing.len() || reduced.len() < sent.oversize.len() {
            let next = tokio::time::timeout(Duration::from_secs(60), consumer.recv()).await;
            let Ok(message) = next else {
                let failing = sent.failing.len();
                let oversize = sent.oversize.len();
                panic!(
                    "the destination has {} of {failing} and {} of {oversize} failure records",
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

/// Position of a record in an event or a failure record.
pub(super) fn position(of: &Value) -> Position {
    let number = |name: &str| {
        of[name]
            .as_i64()
            .or_else(|| of[name].as_str()?.parse().ok())
    };
    let both = number("partition").zip(number("offset"));
    let (partition, offset) = both.unwrap_or_else(|| panic!("{of} has no partition and offset"));
    (partition as i32, offset)
}
