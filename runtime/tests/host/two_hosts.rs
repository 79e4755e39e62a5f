//! Two hosts with one application share the work. If one is killed, the other does all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;
use testkit::eventually;
use testkit::net::free_address;
use testkit::process::KillOnDrop;

use crate::kafka_fixture::{KafkaFixture, values};
use crate::sqs_fixture::SqsFixture;
use crate::sqs_servers::project as queue_project;
use crate::support::{project, usher_up};

/// A host that is killed with the test.
struct Host {
    _process: KillOnDrop,
    status: String,
    _folder: TempDir,
}

impl Host {
    fn start(fixture: &KafkaFixture) -> Self {
        let template = format!(
            "\
Transform: AWS::Serverless-2016-10-31
Resources:
  Echo:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: provided.al2023
      CodeUri: built
      Timeout: 60
      Environment: {{Variables: {{RECORD_TO: '{}'}}}}
      Events:
        Records:
          Type: SelfManagedKafka
          Properties:
            Topics: [{}]
            KafkaBootstrapServers: ['{}']
            ConsumerGroupId: {}
            BatchSize: 5
            FunctionResponseTypes: [ReportBatchItemFailures]
",
            fixture.folder.path().join("seen").display(),
            fixture.mapping.topics[0],
            fixture.mapping.bootstrap_servers,
            fixture.mapping.group,
        );
        let folder = project(&template);
        let control = free_address().to_string();
        let process = usher_up(folder.path(), &["--control", &control]);
        Self {
            _process: process,
            status: format!("http://{control}/_usher/status"),
            _folder: folder,
        }
    }

    /// Its assigned partitions, if it responds.
    async fn owns(&self) -> Option<BTreeSet<i64>> {
        let status: Value = reqwest::get(&self.status).await.ok()?.json().await.ok()?;
        Some(
            status["mappings"][0]["partitions"]
                .as_array()?
                .iter()
                .filter_map(|one| one["partition"].as_i64())
                .collect(),
        )
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partitions_of_a_killed_host_move_without_loss() {
    let fixture = KafkaFixture::new(4).await;
    let first = Host::start(&fixture);
    let second = Host::start(&fixture);
    let owned = eventually("each owns two partitions", async || {
        let one = first.owns().await?;
        let other = second.owns().await?;
        (one.len() == 2 && other.len() == 2 && one.is_disjoint(&other)).then_some(one)
    })
    .await;
    let mut sent = BTreeMap::new();
    for partition in 0..4 {
        let mut all = values(0..60);
        if owned.contains(&i64::from(partition)) {
            all[20] = format!(
                "hang-once:{}",
                fixture
                    .folder
                    .path()
                    .join(format!("hang-{partition}"))
                    .display()
            );
        }
        fixture.produce(partition, &all).await;
        sent.insert(partition, all);
    }
    eventually(
        "the first host hangs in both of its partitions",
        async || {
            owned
                .iter()
                .all(|partition| {
                    fixture
                        .folder
                        .path()
                        .join(format!("hang-{partition}"))
                        .exists()
                })
                .then_some(())
        },
    )
    .await;
    drop(first);
    eventually("the other owns all", async || {
        second.owns().await.filter(|owned| owned.len() == 4)
    })
    .await;
    eventually("every record is done", async || {
        let seen: BTreeSet<(i32, i64)> =
            fixture.seen().iter().map(|seen| (seen.0, seen.1)).collect();
        (seen.len() == 240).then_some(())
    })
    .await;
    for (partition, all) in sent {
        let mut first_time = BTreeSet::new();
        let mine = fixture
            .seen()
            .into_iter()
            .filter(|seen| seen.0 == partition);
        let order: Vec<(i64, String)> = mine
            .map(|seen| (seen.1, seen.2))
            .filter(|seen| first_time.insert(seen.0))
            .collect();
        let expected: Vec<(i64, String)> = (0..).zip(all).collect();
        assert_eq!(order, expected, "partition {partition}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_host_loses_no_queue_messages() {
    let fixture = SqsFixture::new().await;
    let folders = [queue_project(&fixture), queue_project(&fixture)];
    let mut all: Vec<String> = (0..60).map(|n| format!("message {n}")).collect();
    all[7] = format!("hang-once:{}", fixture.marker("seven"));
    fixture.send(&all).await;
    let [first, second] = folders
        .each_ref()
        .map(|folder| usher_up(folder.path(), &["--sqs-endpoint", &fixture.endpoint]));
    eventually("a message is in progress", async || {
        Path::new(&fixture.marker("seven")).exists().then_some(())
    })
    .await;
    drop(first);
    eventually("every message is done", async || {
        let seen = fixture.seen();
        all.iter()
            .all(|body| seen.iter().any(|seen| seen.done && seen.body == *body))
            .then_some(())
    })
    .await;
    fixture.eventually_empty().await;
    drop(second);
}
