//! Failed consumers and unreadable batches: the mapping continues and reports the problem once.

use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};
use testkit::eventually;
use testkit::kafka::PrivateKafka;
use testkit::net::free_address;
use testkit::process::KillOnDrop;
use usher::supervision::{ComponentRegistry, ComponentStatus};

use crate::kafka_fixture::{KafkaFixture, Running, values};
use crate::support::project;

impl KafkaFixture {
    /// Starts the mapping with this registry.
    fn start_registered(&mut self, registry: &ComponentRegistry) -> Running {
        self.limits.parts = registry.clone();
        self.start()
    }
}

/// The entry of the mapping in the registry.
fn part(registry: &ComponentRegistry) -> ComponentStatus {
    registry
        .status(Instant::now())
        .into_iter()
        .find(|part| part.part == "mapping EchoEvents")
        .unwrap()
}

fn owns(running: &Running) -> usize {
    running.source.snapshot().partitions.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fenced_mapping_rejoins() {
    let mut fixture = KafkaFixture::new(2).await;
    let registry = ComponentRegistry::default();
    let first = fixture.start_registered(&registry);
    eventually("it owns both partitions", async || {
        (owns(&first) == 2).then_some(())
    })
    .await;
    // another consumer with the same member name
    let second = fixture.start_registered(&ComponentRegistry::default());
    let health = || serde_json::to_value(first.source.snapshot()).unwrap()["health"].clone();
    let stuck = eventually("its source is stuck", async || {
        Some(health()).filter(|health| health["state"] == "stuck")
    })
    .await;
    assert!(
        stuck["reason"].as_str().unwrap().contains("same identity"),
        "{stuck}"
    );
    let problem = eventually("the first was fenced", async || part(&registry).problem).await;
    assert!(problem.contains("same identity"), "{problem}");
    eventually("its source is well again", async || {
        (health()["state"] == "ok").then_some(())
    })
    .await;
    assert!(health()["last_error"]["error"].is_string());
    eventually("they share the partitions", async || {
        (owns(&first) == 1 && owns(&second) == 1).then_some(())
    })
    .await;
    fixture.produce(0, &values(0..5)).await;
    fixture.produce(1, &values(0..5)).await;
    fixture.eventually_seen(10).await;
    second.drain().await;
    fixture.produce(0, &values(5..10)).await;
    fixture.produce(1, &values(5..10)).await;
    fixture.eventually_seen(20).await;
    first.drain().await;
    assert_eq!(
        (fixture.committed(0).await, fixture.committed(1).await),
        (Some(10), Some(10))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_of_the_polling_thread_loses_nothing() {
    let mut fixture = KafkaFixture::new(1).await;
    let registry = ComponentRegistry::panicking(["polling EchoEvents".to_owned()]);
    let running = fixture.start_registered(&registry);
    fixture.produce(0, &values(0..10)).await;
    let restarted = eventually("it started again", async || {
        Some(part(&registry)).filter(|part| part.restarts == 1)
    })
    .await;
    assert_eq!(
        restarted.problem.as_deref(),
        Some("its polling thread panicked")
    );
    fixture.produce(0, &values(10..20)).await;
    eventually("every record is done", async || {
        (running.source.snapshot().partitions.first()?.position == Some(20)).then_some(())
    })
    .await;
    running.drain().await;
    let mut offsets: Vec<i64> = fixture.seen().iter().map(|seen| seen.1).collect();
    offsets.dedup();
    assert_eq!(offsets, (0..20).collect::<Vec<_>>());
    assert_eq!(fixture.committed(0).await, Some(20));
}

/// Number of kills of the broker.
const KILLS: usize = 6;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_is_killed_stops_no_mapping() {
    let kafka = PrivateKafka::start();
    let fixture = KafkaFixture::at(kafka.brokers(), 2).await;
    let running = fixture.start();
    let mut sent = 0;
    let per_round = 20;
    for _ in 0..=KILLS {
        // one at a time, so that every kill meets a commit in flight
        for n in sent..sent + per_round {
            fixture.produce((n % 2) as i32, &values(n..n + 1)).await;
        }
        sent += per_round;
        eventually("what was sent is seen", async || {
            let seen: std::collections::BTreeSet<(i32, i64)> =
                fixture.seen().iter().map(|seen| (seen.0, seen.1)).collect();
            (seen.len() == sent).then_some(())
        })
        .await;
        kafka.kill();
        kafka.start_again();
    }
    eventually("all is committed", async || {
        let half = Some(sent as i64 / 2);
        (fixture.committed(0).await == half && fixture.committed(1).await == half).then_some(())
    })
    .await;
    running.drain().await;
}

/// Overwrites the magic number of the first batch's compressed records, which follow a header of 61
/// bytes.
pub(crate) fn damage(file: &std::path::Path) {
    let mut bytes = std::fs::read(file).unwrap();
    assert_eq!(bytes[61..65], [0x28, 0xb5, 0x2f, 0xfd], "zstd");
    bytes[61..65].fill(0xaa);
    std::fs::write(file, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unreadable_batch_is_reported_once() {
    let kafka = PrivateKafka::start();
    let fixture = KafkaFixture::at(kafka.brokers(), 2).await;
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", &fixture.mapping.bootstrap_servers)
        .set("compression.type", "zstd")
        .set("linger.ms", "500")
        .create()
        .unwrap();
    let values: Vec<String> = (0..50)
        .map(|n| format!("value {n} {:032x}", rand::random::<u128>()))
        .collect();
    let sends = values.iter().map(|value| {
        let record: FutureRecord<'_, (), String> = FutureRecord::to(&fixture.mapping.topics[0])
            .partition(0)
            .payload(value);
        producer.send(record, Duration::from_secs(30))
    });
    for sent in futures::future::join_all(sends).await {
        sent.unwrap();
    }
    kafka.stop();
    kafka
        .log_files(&fixture.mapping.topics[0], 0)
        .iter()
        .for_each(|file| damage(file));
    kafka.start_again();

    let control = free_address();
    let folder = project(&template(&fixture));
    let log = std::fs::File::create(folder.path().join("log")).unwrap();
    let mut usher = std::process::Command::new(env!("CARGO_BIN_EXE_usher"));
    usher
        .args(["up", "--control", &control.to_string()])
        .current_dir(folder.path())
        .env_remove("RUST_LOG");
    let _host = KillOnDrop(
        usher
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap(),
    );
    let named = format!(
        "{}-0 from offset 0 on cannot be read",
        fixture.mapping.topics[0]
    );
    eventually("/health names the partition", async || {
        let answer = reqwest::get(format!("http://{control}/health"))
            .await
            .ok()?;
        (answer.status() == 503 && answer.text().await.ok()?.contains(&named)).then_some(())
    })
    .await;
    // the other partition continues
    for n in 0..20 {
        fixture.produce(1, &[format!("value {n}")]).await;
        fixture.eventually_seen(n + 1).await;
    }
    let log = std::fs::read_to_string(folder.path().join("log")).unwrap();
    assert_eq!(log.matches("cannot be read").count(), 1, "{log}");

    // an operator passes over the batch
    fixture.produce(0, &["behind the batch".to_owned()]).await;
    let seek = [
        "offsets",
        "seek",
        "Echo.Records",
        "--partition",
        "0",
        "--to",
        "50",
        "--apply",
        "--control",
    ];
    let mut usher = std::process::Command::new(env!("CARGO_BIN_EXE_usher"));
    let output = usher
        .args(seek)
        .arg(control.to_string())
        .current_dir(folder.path())
        .env_remove("RUST_LOG")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let passed = (0, 50, "behind the batch".to_owned());
    eventually("the partition is read again", async || {
        fixture.seen().contains(&passed).then_some(())
    })
    .await;
    eventually("/health is well", async || {
        (reqwest::get(format!("http://{control}/health"))
            .await
            .ok()?
            .status()
            == 200)
            .then_some(())
    })
    .await;
}

/// A template with the mapping of the fixture.
fn template(fixture: &KafkaFixture) -> String {
    format!(
        "\
Transform: AWS::Serverless-2016-10-31
Resources:
  Echo:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: provided.al2023
      CodeUri: built
      Environment: {{Variables: {{RECORD_TO: '{}'}}}}
      Events:
        Records:
          Type: SelfManagedKafka
          Properties:
            Topics: [{}]
            KafkaBootstrapServers: ['{}']
            ConsumerGroupId: {}
            StartingPosition: TRIM_HORIZON
",
        fixture.folder.path().join("seen").display(),
        fixture.mapping.topics[0],
        fixture.mapping.bootstrap_servers,
        fixture.mapping.group,
    )
}
