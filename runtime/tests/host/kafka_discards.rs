//! Records that a mapping gives up, and those that it never hands over: destinations and filters on real servers.

use std::time::Duration;

use event_sources::filter::Filters;
use rdkafka::ClientConfig;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::message::{Headers, Message, OwnedMessage};
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::{Value, json};
use testkit::eventually;
use usher::model::{Destination, KafkaMapping};
use usher::sqs::{self, Sqs};

use crate::kafka::{Stage, random, values};
use crate::sqs_stage::{arn, client, endpoint, queue};

impl Stage {
    /// Everything that stands in a topic, once there are so many.
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

/// A message of a queue, as soon as there is one.
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

fn to_queue(stage: &mut Stage, name: &str) {
    stage.mapping.max_retries = Some(1);
    stage.mapping.on_failure = Some(Destination::Sqs(arn(name)));
    stage.limits.sqs = Some(Sqs::at(&endpoint()));
    stage.limits.function_arn = "arn:aws:lambda:us-east-1:000000000000:function:stack-Echo".into();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_used_up_its_retries_is_told_to_the_queue_and_the_rest_goes_on() {
    let mut stage = Stage::new(1).await;
    let name = format!("host-{}", random());
    to_queue(&mut stage, &name);
    sqs::ensure(&Sqs::at(&endpoint()), &[queue(&name, None)])
        .await
        .unwrap();
    let mut all = values(0..5);
    all[3] = "always-partial".into();
    stage.produce(0, &all).await;
    let running = stage.start();
    let letter = eventually_told(&name).await;
    stage.produce(0, &values(5..7)).await;
    eventually("what follows is done", async || {
        stage.seen().iter().any(|seen| seen.1 == 6).then_some(())
    })
    .await;
    running.drain().await;
    assert_eq!(
        letter["requestContext"]["condition"],
        "RetryAttemptsExhausted"
    );
    assert_eq!(letter["requestContext"]["approximateInvokeCount"], 2);
    let record = &letter["KafkaBatchInfo"]["recordsInfo"][format!("{}-0", stage.mapping.topics[0])];
    assert_eq!(
        (&record["firstRecordOffset"], &record["lastRecordOffset"]),
        (&json!("3"), &json!("4"))
    );
    assert_eq!(stage.committed(0).await, Some(7));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_that_is_not_there_holds_its_partition_and_no_other_until_it_is() {
    let mut stage = Stage::new(2).await;
    let name = format!("host-{}", random());
    to_queue(&mut stage, &name);
    stage.mapping.max_retries = Some(0);
    stage.produce(0, &["always-fail".to_owned()]).await;
    let running = stage.start();
    eventually("it is given up", async || {
        (running.handle.status().failed_batches == 1).then_some(())
    })
    .await;
    stage.produce(0, &values(1..2)).await;
    stage.produce(1, &values(0..3)).await;
    stage.eventually_seen(3).await;
    assert!(
        stage.seen().iter().all(|seen| seen.0 == 1),
        "the held partition waits: {:?}",
        stage.seen()
    );
    let why = eventually("the status says why", async || {
        running.handle.status().destination_problem
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
    stage.eventually_seen(4).await;
    assert_eq!(running.handle.status().destination_problem, None);
    running.drain().await;
    assert_eq!(
        (stage.committed(0).await, stage.committed(1).await),
        (Some(2), Some(3))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topic_gets_each_failed_record_with_its_key_its_headers_and_why() {
    let mut stage = Stage::new(1).await;
    let letters = stage.another_topic(3).await;
    stage.mapping = KafkaMapping {
        max_retries: Some(0),
        bisect: true,
        on_failure: Some(Destination::KafkaTopic(letters.clone())),
        ..stage.mapping.clone()
    };
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", &stage.mapping.bootstrap_servers)
        .create()
        .unwrap();
    for value in ["fine", "always-fail", "fine as well", "always-fail"] {
        let headers = rdkafka::message::OwnedHeaders::new().insert(rdkafka::message::Header {
            key: "trace",
            value: Some(&[200_u8][..]),
        });
        let record = FutureRecord::to(&stage.mapping.topics[0])
            .key("buyer 7")
            .payload(value)
            .headers(headers);
        producer
            .send(record, Duration::from_secs(30))
            .await
            .unwrap();
    }
    let running = stage.start();
    let found = stage.eventually_in(&letters, 2).await;
    eventually("all is committed", async || {
        (stage.committed(0).await == Some(4)).then_some(())
    })
    .await;
    running.drain().await;
    let seen = stage.seen();
    // what stood before a failure in its batch was done with it each time
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
        let record = &letter["payload"]["records"][format!("{}-0", stage.mapping.topics[0])][0];
        assert_eq!(
            (&record["value"], &record["headers"]),
            (&json!("YWx3YXlzLWZhaWw="), &json!([{"trace": [-56]}]))
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filtered_records_cost_no_invocation_and_are_committed() {
    let mut stage = Stage::new(1).await;
    let pattern = r#"{"value": {"n": [{"numeric": [">=", 3]}]}}"#;
    stage.mapping.filters = Some(Filters::new("value", &[pattern]).unwrap());
    let records: Vec<String> = (0..5)
        .map(|n| json!({"n": n}).to_string())
        .chain(["no json".to_owned()])
        .collect();
    stage.produce(0, &records[..3]).await;
    let running = stage.start();
    eventually("what nobody sees is committed", async || {
        (stage.committed(0).await == Some(3)).then_some(())
    })
    .await;
    assert_eq!(stage.seen(), [], "and costs no invocation");
    stage.produce(0, &records[3..]).await;
    let seen = stage.eventually_seen(2).await;
    eventually("all is committed", async || {
        (stage.committed(0).await == Some(6)).then_some(())
    })
    .await;
    assert_eq!(
        running.handle.status().records_filtered,
        4,
        "three that are too small, and one that is no JSON"
    );
    running.drain().await;
    assert_eq!(seen.iter().map(|seen| seen.1).collect::<Vec<_>>(), [3, 4]);
}
