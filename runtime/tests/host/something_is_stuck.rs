//! The page "Something is stuck" of docs/reference/operations.md: runs each of its commands and
//! checks the effect.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::Value;
use testkit::eventually;
use testkit::kafka::PrivateKafka;

use crate::kafka_fixture::{KafkaFixture, random, values};
use crate::kafka_recovery::damage;
use crate::sources_fixture::{Host, PATIENCE, create_topic, delete_topic};
use crate::sqs_fixture::endpoint;

const SETTINGS: &str = "usher settings";
const RESUME: &str = "usher resume OrderCreateOrders";
const RESUME_PARTITION: &str = "usher resume OrderCreateOrders --partition 0";
const LIST: &str = "usher offsets list OrderCreateOrders";
const CONCURRENCY: &str = "usher set OrderCreate concurrency=4";
const BATCH_SIZE: &str = "usher set OrderCreateOrders batch-size=500";
const PAUSE_PARTITION: &str = "usher pause OrderCreateOrders --partition 0";
const PAUSE_QUEUE: &str = "usher pause CacheInvalidator.Changes";
const SKIP: &str = "usher offsets skip OrderCreateOrders --partition 0 --offset 0 --apply";
const SEEK: &str = "usher offsets seek OrderCreateOrders --partition 0 --to 50 --apply";
const PARKED: &str = "usher parked list";
const DOCTOR: &str = "usher doctor";

/// The commands that the tests below run.
const COMMANDS: [&str; 12] = [
    SETTINGS,
    RESUME,
    RESUME_PARTITION,
    LIST,
    CONCURRENCY,
    BATCH_SIZE,
    PAUSE_PARTITION,
    PAUSE_QUEUE,
    SKIP,
    SEEK,
    PARKED,
    DOCTOR,
];

/// Runs a command of the page with the names of the host's application. It has to succeed.
fn run(host: &Host, command: &str) -> String {
    let named = |word| match word {
        "OrderCreateOrders" => "Worker.Orders",
        "CacheInvalidator.Changes" => "Worker.Jobs",
        "OrderCreate" => "Worker",
        other => other,
    };
    let words: Vec<&str> = command.split(' ').skip(1).map(named).collect();
    host.said(&words)
}

#[test]
fn every_command_of_the_page_is_run() {
    let page = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/operations.md"),
    )
    .unwrap();
    let (_, section) = page
        .split_once("\n## Something is stuck\n")
        .expect("the page has the section");
    let (section, _) = section.split_once("\n## ").unwrap();
    let written: BTreeSet<&str> = section
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|code| code.starts_with("usher "))
        .collect();
    assert_eq!(written, BTreeSet::from(COMMANDS));
    for state in [
        "ok", "paused", "behind", "failing", "stuck", "missing", "away",
    ] {
        assert!(
            section.contains(&format!("\n| `{state}`")),
            "{state} has no row"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_partition_is_held_back_then_passed() {
    let fixture = KafkaFixture::new(1).await;
    let mut host = Host::of(&fixture, &[]);
    fixture
        .produce(0, &["always-fail", "two"].map(str::to_owned))
        .await;
    host.up().await;
    host.eventually_unwell("mappings", "failing").await;
    assert!(run(&host, LIST).contains(&fixture.mapping.topics[0]));
    run(&host, PAUSE_PARTITION);
    host.eventually("mappings", "paused").await;
    assert_eq!(host.health().await.0, 200);
    run(&host, RESUME_PARTITION);
    host.eventually("mappings", "failing").await;
    eventually("the group has begun", async || fixture.committed(0).await).await;
    run(&host, SKIP);
    host.eventually_seen("two").await;
    host.eventually_well("mappings").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_behind_gets_more_concurrency() {
    let fixture = KafkaFixture::new(1).await;
    let mut host = Host::of(&fixture, &["BatchSize: 1"]);
    // records of a minute ago; the first hangs until the timeout, and the others wait
    let marker = host.path().join("marker");
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", &fixture.mapping.bootstrap_servers)
        .create()
        .unwrap();
    let hangs = format!("hang-once:{}", marker.display());
    let minute_ago = jiff::Timestamp::now().as_millisecond() - 60_000;
    for value in std::iter::once(hangs).chain(values(0..50)) {
        let record: FutureRecord<'_, (), String> = FutureRecord::to(&fixture.mapping.topics[0])
            .partition(0)
            .payload(&value)
            .timestamp(minute_ago);
        producer.send(record, PATIENCE).await.unwrap();
    }
    host.up().await;
    let source = host.eventually("mappings", "behind").await;
    assert_eq!(host.health().await.0, 200, "{source}");
    assert!(
        source["health"]["oldest_waiting_ms"].as_i64().unwrap() >= 60_000,
        "{source}"
    );
    run(&host, LIST);
    run(&host, CONCURRENCY);
    run(&host, BATCH_SIZE);
    let settings = run(&host, SETTINGS);
    assert!(
        settings.contains("concurrency") && settings.contains("500"),
        "{settings}"
    );
    host.eventually_well("mappings").await;
    host.eventually_seen("value 49").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_source_is_resumed() {
    let fixture = KafkaFixture::new(1).await;
    let mut host = Host::of(&fixture, &[]);
    host.up().await;
    host.said(&["pause", "Worker.Orders"]);
    fixture.produce(0, &["one".to_owned()]).await;
    let source = host.eventually("mappings", "paused").await;
    assert!(
        source["health"]["reason"]
            .as_str()
            .unwrap()
            .contains("usher resume"),
        "{source}"
    );
    run(&host, SETTINGS);
    run(&host, RESUME);
    host.eventually_seen("one").await;
    host.eventually_well("mappings").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_cannot_be_read_is_passed() {
    let kafka = PrivateKafka::start();
    let fixture = KafkaFixture::at(kafka.brokers(), 1).await;
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", kafka.brokers())
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
        producer.send(record, PATIENCE)
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
    let mut host = Host::of(&fixture, &[]);
    host.up().await;
    let source = host.eventually_unwell("mappings", "stuck").await;
    assert!(
        source["health"]["reason"]
            .as_str()
            .unwrap()
            .contains("cannot be read"),
        "{source}"
    );
    eventually("its lag is known", async || {
        (host.json("/_usher/status").await["mappings"][0]["partitions"][0]["lag"] == 50)
            .then_some(())
    })
    .await;
    run(&host, LIST);
    run(&host, SEEK);
    fixture.produce(0, &["behind the batch".to_owned()]).await;
    host.eventually_seen("behind the batch").await;
    host.eventually_well("mappings").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_topic_is_named_by_doctor() {
    let fixture = KafkaFixture::new(1).await;
    let mut host = Host::of(&fixture, &[]);
    host.up().await;
    delete_topic(&fixture, &fixture.mapping.topics[0]).await;
    host.eventually_unwell("mappings", "missing").await;
    let output = host.usher(&["doctor"]);
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(said.contains(&fixture.mapping.topics[0]), "{said}");
    create_topic(&fixture, &fixture.mapping.topics[0]).await;
    host.eventually_well("mappings").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_queue_is_paused_and_listed() {
    let queue = format!("host-{}", random());
    let resources = format!(
        "  Dead: {{Type: AWS::SQS::Queue, Properties: {{QueueName: {queue}-dead}}}}
  Work:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: {queue}
      VisibilityTimeout: 3
      RedrivePolicy: {{deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 7}}"
    );
    let events = "        Jobs: {Type: SQS, Properties: {Queue: !GetAtt Work.Arn, \
                  FunctionResponseTypes: [ReportBatchItemFailures]}}";
    let mut host = Host::with(
        events,
        &resources,
        &format!("[endpoints]\nsqs = '{}'", endpoint()),
    );
    host.up().await;
    let url = format!("{}/000000000000/{queue}", endpoint());
    crate::sqs_fixture::client(&endpoint())
        .send_message()
        .queue_url(&url)
        .message_body("always-partial")
        .send()
        .await
        .unwrap();
    host.eventually_unwell("queues", "failing").await;
    run(&host, PAUSE_QUEUE);
    host.eventually("queues", "paused").await;
    assert_eq!(host.health().await.0, 200);
    host.said(&["resume", "Worker.Jobs"]);
    let listed = tokio::time::timeout(Duration::from_mins(1), async {
        loop {
            let listed = run(&host, PARKED);
            let line = listed
                .lines()
                .find(|line| line.contains(&format!("{queue}-dead")))
                .unwrap()
                .to_owned();
            if line.split_whitespace().any(|word| word == "1") {
                return line;
            }
        }
    });
    listed.await.expect("the message is set aside");
    host.eventually_well("queues").await;
    let status: Value = host.json("/_usher/status").await;
    assert!(
        status["queues"][0]["health"]["last_error"]["error"].is_string(),
        "{status}"
    );
}
