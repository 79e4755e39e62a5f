//! Messages that wait for an instance of their function.

use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_sdk_sqs::types::MessageSystemAttributeName;
use serde_json::json;
use testkit::eventually;
use usher::instances::{InstanceState, Pool};
use usher::invocation::{Invoke as _, Rejected, Request};
use usher::sources::sqs;

use crate::kafka_fixture::recording;
use crate::sqs_fixture::SqsFixture;
use crate::support::{pool, request};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_function_leaves_its_messages_in_the_queue() {
    let mut fixture = SqsFixture::new().await;
    fixture
        .function(|function| function.concurrency = Some(1))
        .await;
    let pool = fixture.pool.clone();
    let hog =
        tokio::spawn(async move { pool.invoke(request(&json!({ "do": "hang" })), true).await });
    eventually("the only instance is taken", async || {
        fixture.pool.stats().functions[0]
            .instances
            .iter()
            .any(|instance| instance.state == InstanceState::Busy)
            .then_some(())
    })
    .await;
    let event = Request {
        start_by: Some(Instant::now()),
        ..request(&json!({ "do": "spawn" }))
    };
    assert!(matches!(
        fixture.pool.invoke(event, true).await.unwrap_err(),
        Rejected::Throttled(_)
    ));
    fixture.send(&["patient"]).await;
    let running = fixture.start();
    let reason = eventually("it is said", async || {
        running.source.snapshot().health.reason
    })
    .await;
    assert!(reason.contains("busy with other events"), "{reason}");
    running.drain().await;
    assert!(
        fixture.seen().is_empty(),
        "neither the message nor the event was seen"
    );
    drop(hog);
    let left = fixture
        .receive(fixture.mapping.queue_name(), 1)
        .await
        .pop()
        .expect("it is visible");
    let receives =
        left.attributes().unwrap()[&MessageSystemAttributeName::ApproximateReceiveCount].clone();
    assert_eq!(receives, "1", "by this test alone");
}

/// An instance takes 4 s to start; the queue hides a message for 6 s and allows one receive.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_start_loses_no_message() {
    let mut fixture = SqsFixture::with(crate::sqs_fixture::endpoint(), "", Some(1)).await;
    fixture.queues[0]
        .attributes
        .insert("VisibilityTimeout".into(), "6".into());
    sqs::ensure(&fixture.sqs, &fixture.queues).await.unwrap();
    (fixture.limits.visibility, fixture.limits.timeout) =
        (Duration::from_secs(6), Duration::from_secs(3));
    fixture.pool = slow_to_start(&fixture, "4000");
    fixture.send(&["patient"]).await;
    let running = fixture.start();
    let seen = fixture.eventually_done(1).await;
    fixture.eventually_empty().await;
    let status = running.source.snapshot();
    running.drain().await;
    assert_eq!(
        (seen.len(), seen[0].receives, status.released, status.failed),
        (1, 1, 0, 0),
        "{seen:?}"
    );
    assert!(
        fixture
            .receive(&fixture.queues[1].name.clone(), 1)
            .await
            .is_empty(),
        "no dead letter"
    );
}

/// An instance takes longer to start than the visibility timeout.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_hidden_while_its_function_starts() {
    let mut fixture = SqsFixture::with(crate::sqs_fixture::endpoint(), "", Some(1)).await;
    fixture.pool = slow_to_start(&fixture, "7000");
    fixture.send(&["patient"]).await;
    let running = fixture.start();
    let seen = fixture.eventually_done(1).await;
    fixture.eventually_empty().await;
    running.drain().await;
    assert_eq!((seen.len(), seen[0].receives), (1, 1), "{seen:?}");
}

/// The host drains while a received message waits for an instance to start.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_invokes_what_was_received() {
    let mut fixture = SqsFixture::with(crate::sqs_fixture::endpoint(), "", Some(1)).await;
    fixture.pool = slow_to_start(&fixture, "4000");
    fixture.send(&["received"]).await;
    let running = fixture.start();
    eventually("it is received", async || {
        (running.source.snapshot().received == 1).then_some(())
    })
    .await;
    running.drain().await;
    assert_eq!((fixture.seen().len(), fixture.left().await), (1, (0, 0)));
}

/// A cold pool whose instances take `ms` milliseconds to start.
fn slow_to_start(fixture: &SqsFixture, ms: &str) -> Arc<Pool> {
    let mut function = recording(&fixture.folder);
    function.timeout = Duration::from_secs(3);
    function.environment.insert("START_MS".into(), ms.into());
    pool(function)
}
