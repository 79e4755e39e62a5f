//! Problems of an event source are visible in the status, in `/health` and in the metrics.

use rdkafka::producer::Producer as _;
use testkit::eventually;
use tokio::task::block_in_place;

use crate::kafka_fixture::{KafkaFixture, random, values};
use crate::sources_fixture::{Host, PATIENCE, create_topic, delete_topic, send, transaction};
use crate::sqs_fixture::{arn, client, endpoint};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_transaction_makes_a_source_stuck() {
    let fixture = KafkaFixture::new(1).await;
    let mut host = Host::of(&fixture, &[]);
    host.up().await;
    fixture.produce(0, &["before".to_owned()]).await;
    host.eventually_seen("before").await;
    let producer = transaction(&fixture);
    send(&producer, &fixture, &["in transaction"]).await;
    fixture.produce(0, &["after".to_owned()]).await;
    let source = host.eventually_unwell("mappings", "stuck").await;
    let partition = &source["partitions"][0];
    let reason = source["health"]["reason"].as_str().unwrap();
    assert!(
        reason.contains("open transaction begins at offset 1"),
        "{reason}"
    );
    assert_eq!(
        (
            &partition["lag"],
            &partition["stable_end"],
            &partition["end"]
        ),
        (&0.into(), &1.into(), &3.into()),
        "{partition}"
    );
    assert!(
        source["health"]["oldest_waiting_ms"].as_i64().unwrap() >= 20_000,
        "{source}"
    );
    block_in_place(|| producer.commit_transaction(PATIENCE)).unwrap();
    host.eventually_seen("after").await;
    host.eventually_well("mappings").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_function_makes_its_source_failing() {
    let fixture = KafkaFixture::new(2).await;
    let mut host = Host::of(&fixture, &[]);
    fixture
        .produce(0, &["always-fail", "two", "three"].map(str::to_owned))
        .await;
    fixture.produce(1, &["other".to_owned()]).await;
    host.up().await;
    let source = host.eventually_unwell("mappings", "failing").await;
    assert!(
        source["health"]["last_error"]["error"]
            .as_str()
            .unwrap()
            .contains("failure requested"),
        "{source}"
    );
    let [failing, other] = [&source["partitions"][0], &source["partitions"][1]];
    assert_eq!(
        (&failing["position"], &failing["lag"]),
        (&0.into(), &3.into()),
        "{failing}"
    );
    assert_eq!(
        (&other["health"]["state"], &other["lag"]),
        (&"ok".into(), &0.into()),
        "{other}"
    );
    let labels = format!(
        "{{mapping=\"Worker.Orders\",topic=\"{}\",partition=\"0\"}}",
        fixture.mapping.topics[0]
    );
    assert_eq!(
        host.metric(&format!("usher_kafka_lag{labels}")).await,
        Some(3.0)
    );
    assert!(
        host.metric(&format!("usher_kafka_lag_seconds{labels}"))
            .await
            .unwrap()
            >= 5.0
    );
    host.said(&["pause", "Worker.Orders"]);
    host.eventually("mappings", "paused").await;
    assert_eq!(host.health().await.0, 200, "an operator paused it");
    host.said(&["resume", "Worker.Orders"]);
    host.eventually("mappings", "failing").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unavailable_destination_makes_a_source_stuck() {
    let fixture = KafkaFixture::new(1).await;
    let dead = format!("host-{}", random());
    let destination =
        format!("DestinationConfig: {{OnFailure: {{Type: Kafka, Destination: 'kafka://{dead}'}}}}");
    let mut host = Host::of(&fixture, &[&destination, "MaximumRetryAttempts: 0"]);
    create_topic(&fixture, &dead).await;
    host.up().await;
    delete_topic(&fixture, &dead).await;
    fixture.produce(0, &["always-fail".to_owned()]).await;
    let source = host.eventually_unwell("mappings", "stuck").await;
    assert!(
        source["health"]["reason"].as_str().unwrap().contains(&dead),
        "{source}"
    );
    create_topic(&fixture, &dead).await;
    host.eventually_well("mappings").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disabled_function_makes_its_source_stuck() {
    let fixture = KafkaFixture::new(1).await;
    let mut host = Host::of(
        &fixture,
        &["BatchSize: 10\n      ReservedConcurrentExecutions: 0"],
    );
    fixture.produce(0, &values(0..1)).await;
    host.up().await;
    let source = host.eventually_unwell("mappings", "stuck").await;
    assert!(
        source["health"]["reason"]
            .as_str()
            .unwrap()
            .contains("does not begin"),
        "{source}"
    );
    assert_eq!(
        (
            &source["partitions"][0]["position"],
            &source["partitions"][0]["lag"]
        ),
        (&0.into(), &1.into()),
        "{source}"
    );
}

/// A host whose function reads a queue that its template does not make, as `Worker.Jobs`.
async fn reading_a_queue(queue: &str) -> Host {
    client(&endpoint())
        .create_queue()
        .queue_name(queue)
        .send()
        .await
        .unwrap();
    let events = format!(
        "        Jobs: {{Type: SQS, Properties: {{Queue: '{}'}}}}",
        arn(queue)
    );
    let mut host = Host::with(&events, "", &format!("[endpoints]\nsqs = '{}'", endpoint()));
    host.up().await;
    host
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_whose_messages_all_fail_is_failing() {
    let queue = format!("host-{}", random());
    let host = reading_a_queue(&queue).await;
    let url = format!("{}/000000000000/{queue}", endpoint());
    let sqs = client(&endpoint());
    let marker = host.path().join("none/marker");
    for _ in 0..4 {
        // the marker cannot be written, so the function fails
        let body = format!("fail-once:{}", marker.display());
        sqs.send_message()
            .queue_url(&url)
            .message_body(body)
            .send()
            .await
            .unwrap();
        eventually("the batch failed", async || {
            let seen = host.json("/_usher/status").await["queues"][0]["failed"].as_u64()?;
            (seen > 0).then_some(())
        })
        .await;
    }
    let source = host.eventually_unwell("queues", "failing").await;
    assert!(
        source["health"]["last_error"]["error"].is_string(),
        "{source}"
    );
    assert!(source["waiting"].as_u64().unwrap() > 0, "{source}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asynchronous_events_that_always_fail_are_failing() {
    let queue = format!("host-{}", random());
    let sqs = client(&endpoint());
    sqs.create_queue().queue_name(&queue).send().await.unwrap();
    let fail = "{\"do\": \"fail\"}";
    let events = format!(
        "        Tick: {{Type: Schedule, Properties: {{Schedule: rate(1 minute), Input: '{fail}'}}}}\n      \
         EventInvokeConfig: {{DestinationConfig: {{OnFailure: {{Type: SQS, Destination: '{}'}}}}}}",
        arn(&queue)
    );
    let settings = format!(
        "[schedules]\n'Worker.Tick' = 'rate(1 second)'\n[endpoints]\nsqs = '{}'",
        endpoint()
    );
    let mut host = Host::with(&events, "", &settings);
    host.up().await;
    let source = host.eventually_unwell("events", "failing").await;
    assert!(
        source["health"]["last_error"]["error"]
            .as_str()
            .unwrap()
            .contains("failure requested"),
        "{source}"
    );
    let url = format!("{}/000000000000/{queue}", endpoint());
    sqs.delete_queue().queue_url(&url).send().await.unwrap();
    let source = host.eventually_unwell("events", "stuck").await;
    assert!(
        source["health"]["reason"]
            .as_str()
            .unwrap()
            .contains(&queue),
        "{source}"
    );
    sqs.create_queue().queue_name(&queue).send().await.unwrap();
    host.eventually("events", "failing").await;
}
