//! Failure records and dead letters that exceed the limits of their destination.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::message::Message;
use rdkafka::producer::{FutureProducer, FutureRecord};
use sam_template::model::{self, Destination};
use serde_json::{Value, json};
use testkit::eventually;
use usher::sources;

use crate::kafka_fixture::{KafkaFixture, random};

/// Above the default limit of a topic (1 MiB).
const TWO_MEGABYTES: usize = 2_000_000;

fn admin(fixture: &KafkaFixture) -> AdminClient<DefaultClientContext> {
    ClientConfig::new()
        .set("bootstrap.servers", &fixture.mapping.bootstrap_servers)
        .create()
        .unwrap()
}

/// Creates a topic of one partition with this setting.
pub(crate) async fn topic(fixture: &KafkaFixture, name: &str, value: &str) -> String {
    let topic = format!("host-{}", random());
    let new = NewTopic::new(&topic, 1, TopicReplication::Fixed(1)).set(name, value);
    admin(fixture)
        .create_topics(&[new], &AdminOptions::new())
        .await
        .unwrap()[0]
        .as_ref()
        .unwrap();
    topic
}

/// Writes one record of any size to partition 0.
async fn produce(fixture: &KafkaFixture, topic: &str, key: Option<&str>, value: &str) {
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", &fixture.mapping.bootstrap_servers)
        .set("message.max.bytes", "10000000")
        .create()
        .unwrap();
    let mut record = FutureRecord::to(topic).partition(0).payload(value);
    if let Some(key) = key {
        record = record.key(key);
    }
    producer
        .send(record, Duration::from_secs(30))
        .await
        .unwrap();
}

/// A fixture whose mapping discards failed records without a retry, to this topic.
async fn failing_to(destination: &str, value: &str) -> (KafkaFixture, String) {
    let mut fixture = KafkaFixture::new(1).await;
    let destination = topic(&fixture, destination, value).await;
    fixture.mapping.max_retries = Some(0);
    fixture.mapping.bisect = true;
    fixture.mapping.on_failure = Some(Destination::KafkaTopic(destination.clone()));
    (fixture, destination)
}

fn application(fixture: &KafkaFixture) -> model::Application {
    model::Application {
        kafka: vec![fixture.mapping.clone()],
        functions: BTreeMap::new(),
        ..model::Application::default()
    }
}

fn document(message: &impl Message) -> Value {
    serde_json::from_slice(message.payload().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_oversize_failure_record_goes_without_its_payload() {
    let (fixture, destination) = failing_to("max.message.bytes", "20000").await;
    let source = fixture.mapping.topics[0].clone();
    // random text, which does not compress
    let noise: String = (0..6_000).map(|_| random()).collect();
    let large = format!("always-fail {noise}");
    produce(&fixture, &source, Some("buyer 7"), "always-fail small").await;
    produce(&fixture, &source, Some("buyer 7"), &large).await;
    produce(&fixture, &source, None, "fine").await;
    let running = fixture.start();
    let found = fixture.eventually_in(&destination, 2).await;
    eventually("all is committed", async || {
        (fixture.committed(0).await == Some(3)).then_some(())
    })
    .await;
    let status = running.source.snapshot();
    running.drain().await;
    assert_eq!(
        (
            status.failure_records_reduced,
            status.records_lost,
            status.problem
        ),
        (1, 0, None)
    );
    assert!(
        document(&found[0])["payload"].is_object(),
        "what fits is whole"
    );
    let reduced = document(&found[1]);
    let place = json!({
        "reason": "TooLargeForDestination", "topic": source, "partition": 0, "offset": "1",
        "valueSize": large.len(),
    });
    assert_eq!(
        (reduced.get("payload"), &reduced["payloadOmitted"]),
        (None, &place)
    );
    assert_eq!(found[1].key(), Some(&b"buyer 7"[..]));

    let app = application(&fixture);
    let store = sources::dead_letter_stores(&app).stores.remove(0);
    let replayed = store.replay(10, None).await.unwrap();
    assert_eq!((replayed.dead_letters, &replayed.stayed), (2, &Vec::new()));
    let back = fixture.eventually_in(&source, 5).await;
    assert_eq!(
        (back[3].payload(), back[4].payload()),
        (Some(&b"always-fail small"[..]), Some(large.as_bytes()))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_without_key_reaches_a_compacted_topic() {
    let (fixture, destination) = failing_to("cleanup.policy", "compact").await;
    let source = fixture.mapping.topics[0].clone();
    for value in ["always-fail", "fine"] {
        produce(&fixture, &source, None, value).await;
    }
    let running = fixture.start();
    let found = fixture.eventually_in(&destination, 1).await;
    eventually("all is committed", async || {
        (fixture.committed(0).await == Some(2)).then_some(())
    })
    .await;
    running.drain().await;
    assert_eq!(found[0].key(), Some(format!("{source}-0-0").as_bytes()));
    assert!(document(&found[0])["payload"].is_object());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_failure_record_blocks_nothing() {
    let (fixture, _) = failing_to("max.message.bytes", "100").await;
    let source = fixture.mapping.topics[0].clone();
    for value in ["always-fail", "fine"] {
        produce(&fixture, &source, Some("key"), value).await;
    }
    let running = fixture.start();
    eventually("all is committed", async || {
        (fixture.committed(0).await == Some(2)).then_some(())
    })
    .await;
    let status = running.source.snapshot();
    running.drain().await;
    assert_eq!(
        (status.records_lost, status.problem),
        (1, None),
        "the loss is counted, logged as an alarm and part of /health"
    );
    assert_eq!(fixture.seen().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_oversize_dead_letter_keeps_no_other_back() {
    let mut source = KafkaFixture::new(1).await;
    let dead = topic(&source, "max.message.bytes", "8000000").await;
    source.mapping.on_failure = Some(Destination::KafkaTopic(dead.clone()));
    let original = source.mapping.topics[0].clone();
    let large: String = (0..TWO_MEGABYTES / 16).map(|_| random()).collect();
    for value in ["before", &large, "after"] {
        use base64::Engine as _;
        let value = base64::engine::general_purpose::STANDARD.encode(value);
        let record = json!({
            "topic": original, "partition": 0, "offset": 1, "value": value, "headers": [],
        });
        let records = json!({ format!("{original}-0"): [record] });
        let dead_letter = json!({
            "requestContext": { "condition": "RetriesExhausted" },
            "payload": { "records": records },
        });
        produce(&source, &dead, None, &dead_letter.to_string()).await;
    }
    let app = application(&source);
    let store = sources::dead_letter_stores(&app).stores.remove(0);
    let count = async || store.count().await.unwrap();
    for (back, stays) in [(2, 1), (0, 1)] {
        let replayed = store.replay(10, None).await.unwrap();
        assert_eq!(
            (replayed.dead_letters, replayed.stayed.len(), count().await),
            (back, 1, stays)
        );
        assert!(
            replayed.stayed[0].starts_with("0-1: ")
                && replayed.stayed[0].contains("max.message.bytes"),
            "{replayed:?}"
        );
    }
    assert_eq!(
        store.peek(10).await.unwrap()[0].id,
        "0-1",
        "what stays is shown"
    );
    let larger =
        AlterConfig::new(ResourceSpecifier::Topic(&original)).set("max.message.bytes", "5000000");
    admin(&source)
        .alter_configs(&[larger], &AdminOptions::new())
        .await
        .unwrap()[0]
        .as_ref()
        .unwrap();
    eventually("the topic takes it", async || {
        let replayed = store.replay(10, None).await.unwrap();
        (replayed.dead_letters == 1 && replayed.stayed.is_empty()).then_some(())
    })
    .await;
    assert_eq!(count().await, 0);
    let values: Vec<usize> = source
        .eventually_in(&original, 3)
        .await
        .iter()
        .map(|message| message.payload().unwrap().len())
        .collect();
    assert_eq!(values, [6, 5, large.len()]);
}
