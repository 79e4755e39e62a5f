//! Discarded and filtered records, with destinations on real servers.

use std::time::Duration;

use event_sources::filter::Filters;
use rdkafka::ClientConfig;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::message::{Headers, Message, OwnedMessage};
use rdkafka::producer::{FutureProducer, FutureRecord};
use sam_template::model::{Destination, KafkaMapping};
use serde_json::{Value, json};
use testkit::eventually;
use usher::sources::sqs::{self, Sqs};

use crate::kafka_fixture::{KafkaFixture, random, values};
use crate::sqs_fixture::{arn, client, endpoint, queue};

impl KafkaFixture {
    /// The records of a topic, once it has this many.
    pub(crate) async fn eventually_in(&self, topic: &str, count: usize) -> Vec<OwnedMessage> {
        let consumer: StreamConsumer = ClientConfig::new()
            .set("bootstrap.servers", &self.mapping.bootstrap_servers)
            .set("group.id", random())
            .set("auto.offset.reset", "earliest")
            .create()
            .unwrap();
        consumer.subscribe(&[topic]).unwrap();
        let mut found = Vec::new();
        while found.len() < count {
            let next = tokio::time::timeout(Duration::from_secs(60), consumer.recv()).await;
            found.push(next.expect("a record arrives").unwrap().detach());
        }
        found
    }
}

/// Waits for a message of a queue.
async fn eventually_told(queue: &str) -> Value {
    let client = client(&endpoint());
    let body = eventually("the queue has a letter", async || {
        let url = format!("{}/000000000000/{queue}", endpoint());
        let answer = client
            .receive_message()
            .queue_url(url)
            .wait_time_seconds(1)
            .send()
            .await
            .ok()?;
        answer.messages()[..].first()?.body().map(str::to_owned)
    })
    .await;
    serde_json::from_str(&body).unwrap()
}

fn to_queue(fixture: &mut KafkaFixture, name: &str) {
    fixture.mapping.max_retries = Some(1);
    fixture.mapping.on_failure = Some(Destination::Sqs(arn(name)));
    fixture.limits.sqs = Some(Sqs::at(&endpoint()));
    fixture.limits.function_arn =
        "arn:aws:lambda:us-east-1:000000000000:function:stack-Echo".into();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_receives_the_discarded_batchs_record() {
    let mut fixture = KafkaFixture::new(1).await;
    let name = format!("host-{}", random());
    to_queue(&mut fixture, &name);
    sqs::ensure(&Sqs::at(&endpoint()), &[queue(&name, None)])
        .await
        .unwrap();
    let mut all = values(0..5);
    all[3] = "always-partial".into();
    fixture.produce(0, &all).await;
    let running = fixture.start();
    let letter = eventually_told(&name).await;
    fixture.produce(0, &values(5..7)).await;
    eventually("what follows is done", async || {
        fixture.seen().iter().any(|seen| seen.1 == 6).then_some(())
    })
    .await;
    running.drain().await;
    assert_eq!(
        letter["requestContext"]["condition"],
        "RetryAttemptsExhausted"
    );
    assert_eq!(letter["requestContext"]["approximateInvokeCount"], 2);
    let record =
        &letter["KafkaBatchInfo"]["recordsInfo"][format!("{}-0", fixture.mapping.topics[0])];
    assert_eq!(
        (&record["firstRecordOffset"], &record["lastRecordOffset"]),
        (&json!("3"), &json!("4"))
    );
    assert_eq!(fixture.committed(0).await, Some(7));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_queue_blocks_only_its_partition() {
    let mut fixture = KafkaFixture::new(2).await;
    let name = format!("host-{}", random());
    to_queue(&mut fixture, &name);
    fixture.mapping.max_retries = Some(0);
    fixture.produce(0, &["always-fail".to_owned()]).await;
    let running = fixture.start();
    eventually("it is given up", async || {
        (running.source.snapshot().failed_batches == 1).then_some(())
    })
    .await;
    fixture.produce(0, &values(1..2)).await;
    fixture.produce(1, &values(0..3)).await;
    fixture.eventually_seen(3).await;
    assert!(
        fixture.seen().iter().all(|seen| seen.0 == 1),
        "the blocked partition waits: {:?}",
        fixture.seen()
    );
    let why = eventually("the status says why", async || {
        running.source.snapshot().destination_problem
    })
    .await;
    assert!(why.contains(&name) && why.contains("partition 0"), "{why}");
    sqs::ensure(&Sqs::at(&endpoint()), &[queue(&name, None)])
        .await
        .unwrap();
    assert_eq!(
        eventually_told(&name).await["responseContext"]["functionError"],
        "Unhandled"
    );
    fixture.eventually_seen(4).await;
    assert_eq!(running.source.snapshot().destination_problem, None);
    running.drain().await;
    assert_eq!(
        (fixture.committed(0).await, fixture.committed(1).await),
        (Some(2), Some(3))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_receives_discarded_records_with_their_keys() {
    let mut fixture = KafkaFixture::new(1).await;
    let letters = fixture.another_topic(3).await;
    fixture.mapping = KafkaMapping {
        max_retries: Some(0),
        bisect: true,
        on_failure: Some(Destination::KafkaTopic(letters.clone())),
        ..fixture.mapping.clone()
    };
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", &fixture.mapping.bootstrap_servers)
        .create()
        .unwrap();
    for value in ["fine", "always-fail", "fine as well", "always-fail"] {
        let headers = rdkafka::message::OwnedHeaders::new().insert(rdkafka::message::Header {
            key: "trace",
            value: Some(&[200_u8][..]),
        });
        let record = FutureRecord::to(&fixture.mapping.topics[0])
            .key("buyer 7")
            .payload(value)
            .headers(headers);
        producer
            .send(record, Duration::from_secs(30))
            .await
            .unwrap();
    }
    let running = fixture.start();
    let found = fixture.eventually_in(&letters, 2).await;
    eventually("all is committed", async || {
        (fixture.committed(0).await == Some(4)).then_some(())
    })
    .await;
    running.drain().await;
    let seen = fixture.seen();
    // the records before a failed one were processed in each attempt
    let done: std::collections::BTreeSet<i64> = seen.iter().map(|seen| seen.1).collect();
    assert_eq!(done, [0, 2].into());
    for (message, offset) in found.iter().zip([1, 3]) {
        assert_eq!(message.key(), Some(&b"buyer 7"[..]));
        assert_eq!(message.headers().unwrap().get(0).value, Some(&[200_u8][..]));
        let letter: Value = serde_json::from_slice(message.payload().unwrap()).unwrap();
        assert_eq!(
            letter["KafkaBatchInfo"]["recordInfo"]["offset"],
            offset.to_string()
        );
        let record = &letter["payload"]["records"][format!("{}-0", fixture.mapping.topics[0])][0];
        assert_eq!(
            (&record["value"], &record["headers"]),
            (&json!("YWx3YXlzLWZhaWw="), &json!([{"trace": [-56]}]))
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filtered_records_cost_no_invocation_and_are_committed() {
    let mut fixture = KafkaFixture::new(1).await;
    let pattern = r#"{"value": {"n": [{"numeric": [">=", 3]}]}}"#;
    fixture.mapping.filters = Some(Filters::new("value", &[pattern]).unwrap());
    let records: Vec<String> = (0..5)
        .map(|n| json!({"n": n}).to_string())
        .chain(["no json".to_owned()])
        .collect();
    fixture.produce(0, &records[..3]).await;
    let running = fixture.start();
    eventually("filtered records are committed", async || {
        (fixture.committed(0).await == Some(3)).then_some(())
    })
    .await;
    assert_eq!(fixture.seen(), [], "and costs no invocation");
    fixture.produce(0, &records[3..]).await;
    let seen = fixture.eventually_seen(2).await;
    eventually("all is committed", async || {
        (fixture.committed(0).await == Some(6)).then_some(())
    })
    .await;
    assert_eq!(
        running.source.snapshot().records_filtered,
        4,
        "three filtered by value, and one that is not JSON"
    );
    running.drain().await;
    assert_eq!(seen.iter().map(|seen| seen.1).collect::<Vec<_>>(), [3, 4]);
}
