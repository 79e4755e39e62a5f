//! The host determines the outcome of an invocation; no text of a function can imitate it.

use std::time::{Duration, Instant};

use serde_json::json;
use testkit::eventually;
use usher::instances::{Pool, PoolOptions};
use usher::invocation::{Invoke as _, Outcome, Request};

use crate::kafka_fixture::KafkaFixture;
use crate::sqs_fixture;
use crate::support::{application, executables, function, invoke, options, pool, request};

/// The host's texts for processes that it killed itself.
const HOSTS_WORDS: [&str; 2] = [
    "signal: killed (the host shut down)",
    "signal: killed (a fault of the host)",
];

fn failing() -> [String; 2] {
    HOSTS_WORDS.map(|words| format!("fail-with:{words}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_retries_are_counted_whatever_the_message() {
    let mut fixture = KafkaFixture::new(1).await;
    (fixture.mapping.max_retries, fixture.mapping.batch_size) = (Some(2), 1);
    fixture.produce(0, &failing()).await;
    fixture.produce(0, &["good".to_owned()]).await;
    let running = fixture.start();
    let seen = fixture.eventually_seen(1).await;
    let status = running.source.snapshot();
    running.drain().await;
    assert_eq!(
        (
            seen[0].2.as_str(),
            status.records_discarded,
            status.failed_batches
        ),
        ("good", 2, 6)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqs_failures_are_left_whatever_the_message() {
    let mut fixture = sqs_fixture::SqsFixture::with(sqs_fixture::endpoint(), "", Some(1)).await;
    fixture.mapping.batch_size = 1;
    fixture.send(&failing()).await;
    let running = fixture.start();
    eventually("both failed", async || {
        (running.source.snapshot().failed == 2).then_some(())
    })
    .await;
    assert_eq!(running.source.snapshot().released, 0);
    running.drain().await;
}

/// A timeout during the initialisation for an event is not a lack of concurrency.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_whose_instance_starts_is_not_throttled() {
    let pool = pool(function(&[("START_MS", "1500")]));
    let soon = Instant::now() + Duration::from_millis(100);
    let event = Request {
        start_by: Some(soon),
        ..request(&json!({ "do": "echo" }))
    };
    let response = pool.invoke(event, true).await.unwrap();
    assert!(
        matches!(response.outcome, Outcome::Answer(_)) && Instant::now() > soon,
        "{response:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_host_interrupts_an_invocation() {
    let options = PoolOptions {
        drain: Duration::ZERO,
        ..options().0
    };
    let pool = Pool::new(&application(function(&[])), &executables(), &options);
    for words in HOSTS_WORDS {
        let response = invoke(&pool, json!({ "do": "fail", "message": words })).await;
        assert!(
            matches!(&response.outcome, Outcome::Error(error) if error.message == words),
            "{response:?}"
        );
    }
    let running = tokio::spawn({
        let pool = pool.clone();
        async move { invoke(&pool, json!({ "do": "hang" })).await }
    });
    eventually("it runs", async || {
        pool.stats().functions[0]
            .instances
            .iter()
            .any(|instance| !instance.in_flight.is_empty())
            .then_some(())
    })
    .await;
    pool.shutdown().await;
    assert!(matches!(
        running.await.unwrap().outcome,
        Outcome::Interrupted(_)
    ));
}
