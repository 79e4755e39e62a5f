//! Queues at a real SQS server with real functions: no message is lost, and only processed messages
//! are deleted.

use std::time::Duration;

use event_sources::filter::Filters;
use serde_json::{Value, json};
use testkit::eventually;

use crate::sqs_fixture::{SqsFixture, arn};

fn bodies(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("message {n}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_equals_lambdas() {
    use aws_sdk_sqs::types::MessageAttributeValue;
    let fixture = SqsFixture::new().await;
    let running = fixture.start();
    let attribute = MessageAttributeValue::builder()
        .data_type("String")
        .string_value("00-ab")
        .build()
        .unwrap();
    let queue = fixture.mapping.queue_name();
    let sent = fixture
        .client
        .send_message()
        .queue_url(fixture.url(queue))
        .message_body("dump")
        .message_attributes("traceparent", attribute);
    let sent = sent.send().await.unwrap();
    let seen = fixture.eventually_done(1).await;
    running.drain().await;
    let record: Value = serde_json::from_str(&seen[0].body).unwrap();
    let fixed = json!({
        "messageId": sent.message_id(), "receiptHandle": record["receiptHandle"], "body": "dump",
        "attributes": record["attributes"],
        "messageAttributes": { "traceparent": {
            "stringValue": "00-ab", "stringListValues": [], "binaryListValues": [],
            "dataType": "String",
        } },
        "md5OfMessageAttributes": sent.md5_of_message_attributes(),
        "md5OfBody": sent.md5_of_message_body(),
        "eventSource": "aws:sqs", "eventSourceARN": arn(queue), "awsRegion": "us-east-1",
    });
    assert_eq!(record, fixed);
    for name in [
        "ApproximateReceiveCount",
        "SentTimestamp",
        "SenderId",
        "ApproximateFirstReceiveTimestamp",
    ] {
        assert!(record["attributes"][name].is_string(), "{name}: {record}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_failed_messages_are_redelivered() {
    let fixture = SqsFixture::new().await;
    let mut all = bodies(0..10);
    all[3] = format!("partial-once:{}", fixture.marker("three"));
    all[8] = format!("partial-once:{}", fixture.marker("eight"));
    fixture.send(&all).await;
    let running = fixture.start();
    let seen = fixture.eventually_done(10).await;
    fixture.eventually_empty().await;
    let status = running.source.snapshot();
    running.drain().await;
    for seen in seen.iter().filter(|seen| seen.done) {
        assert_eq!(
            seen.receives,
            if seen.body.starts_with("partial") {
                2
            } else {
                1
            },
            "{seen:?}"
        );
    }
    assert_eq!((seen.len(), status.received, status.failed), (12, 12, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_message_reaches_the_dead_letter_queue() {
    let fixture = SqsFixture::with(crate::sqs_fixture::endpoint(), "", Some(2)).await;
    fixture.send(&["always-partial", "good"]).await;
    let running = fixture.start();
    let dead = fixture.queues[1].name.clone();
    let found = eventually("the message is among the dead letters", async || {
        fixture.receive(&dead, 1).await.pop()
    })
    .await;
    running.drain().await;
    assert_eq!(found.body(), Some("always-partial"));
    let seen = fixture.seen();
    assert_eq!(
        seen.iter()
            .filter(|seen| seen.body == "always-partial")
            .count(),
        2,
        "{seen:?}"
    );
    assert_eq!(seen.iter().filter(|seen| seen.done).count(), 1, "{seen:?}");
    assert_eq!(fixture.left().await, (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_or_crash_redelivers_the_batch() {
    let fixture = SqsFixture::new().await;
    let mut all = bodies(0..6);
    all[2] = format!("fail-once:{}", fixture.marker("two"));
    all[4] = format!("crash-once:{}", fixture.marker("four"));
    fixture.send(&all).await;
    let running = fixture.start();
    eventually("all are done", async || {
        let seen = fixture.seen();
        all.iter()
            .all(|body| seen.iter().any(|seen| seen.body == *body))
            .then_some(())
    })
    .await;
    fixture.eventually_empty().await;
    running.drain().await;
    assert!(
        fixture
            .seen()
            .iter()
            .any(|seen| seen.body == "message 5" && seen.receives == 3),
        "{:?}",
        fixture.seen()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_partial_responses_any_answer_succeeds() {
    let mut fixture = SqsFixture::new().await;
    fixture.mapping.partial_responses = false;
    fixture.send(&["always-partial"]).await;
    let running = fixture.start();
    fixture.eventually_empty().await;
    running.drain().await;
    assert_eq!(fixture.seen().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filtered_messages_are_deleted_without_invocation() {
    let mut fixture = SqsFixture::new().await;
    let patterns = [
        r#"{"body": {"kind": ["order"]}}"#,
        r#"{"body": [{"prefix": "plain"}]}"#,
    ];
    fixture.mapping.filters = Some(Filters::new("body", &patterns).unwrap());
    fixture
        .send(&[
            r#"{"kind":"order"}"#,
            r#"{"kind":"other"}"#,
            "plain text",
            "other text",
        ])
        .await;
    let running = fixture.start();
    fixture.eventually_done(2).await;
    fixture.eventually_empty().await;
    let status = eventually("the status says so", async || {
        Some(running.source.snapshot()).filter(|status| status.deleted == 4)
    })
    .await;
    running.drain().await;
    let mut seen: Vec<String> = fixture.seen().into_iter().map(|seen| seen.body).collect();
    seen.sort();
    assert_eq!(seen, ["plain text", r#"{"kind":"order"}"#]);
    assert_eq!(status.filtered, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_gathers_several_receives() {
    let mut fixture = SqsFixture::new().await;
    fixture.mapping.batch_size = 40;
    fixture.mapping.batching_window = Duration::from_secs(1);
    fixture.send(&bodies(0..40)).await;
    let running = fixture.start();
    let seen = fixture.eventually_done(40).await;
    fixture.eventually_empty().await;
    running.drain().await;
    assert!(seen.iter().any(|seen| seen.batch > 10), "{seen:?}");
    assert!(seen.iter().all(|seen| seen.receives == 1), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn maximum_concurrency_is_reached_not_exceeded() {
    let mut fixture = SqsFixture::new().await;
    fixture.mapping.max_concurrency = Some(2);
    fixture.mapping.batch_size = 1;
    for folder in ["started", "active"] {
        std::fs::create_dir(fixture.folder.path().join(folder)).unwrap();
    }
    // different bodies, one folder
    let folder = fixture.folder.path().to_str().unwrap();
    fixture.send(&vec![format!("busy:{folder}"); 12]).await;
    let running = fixture.start();
    let seen = fixture.eventually_done(12).await;
    running.drain().await;
    let most = seen
        .iter()
        .map(|seen| seen.body.parse::<usize>().unwrap())
        .max();
    assert_eq!(most, Some(2), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_leaves_no_hidden_message() {
    let fixture = SqsFixture::new().await;
    let folder = fixture.folder.path().to_str().unwrap().to_owned();
    for name in ["started", "active"] {
        std::fs::create_dir(fixture.folder.path().join(name)).unwrap();
    }
    fixture.send(&[format!("busy:{folder}")]).await;
    let running = fixture.start();
    eventually("it is at the function", async || {
        (running.source.snapshot().in_flight == 1).then_some(())
    })
    .await;
    let drained = tokio::spawn(running.drain());
    // the second message, for which the first one waits
    std::fs::write(fixture.folder.path().join("started/other"), "").unwrap();
    drained.await.unwrap();
    assert_eq!(
        (fixture.eventually_done(1).await.len(), fixture.left().await),
        (1, (0, 0))
    );
    fixture.send(&["later"]).await;
    let found = fixture.receive(fixture.mapping.queue_name(), 2).await;
    assert_eq!(found.len(), 1, "no request of the drained host takes it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fifo_failure_keeps_its_group() {
    let fixture = SqsFixture::fifo().await;
    let failing = format!("partial-once:{}", fixture.marker("one"));
    let all = [
        ("a", "a 0".to_owned()),
        ("a", failing.clone()),
        ("b", "b 0".to_owned()),
        ("a", "a 2".to_owned()),
    ];
    fixture
        .send_grouped(&all.map(|(group, body)| (Some(group), body)))
        .await;
    let running = fixture.start();
    eventually("the failed one is done", async || {
        fixture
            .seen()
            .iter()
            .any(|seen| seen.done && seen.body == failing)
            .then_some(())
    })
    .await;
    fixture.eventually_empty().await;
    running.drain().await;
    let seen = fixture.seen();
    let last = |body: &str| {
        seen.iter()
            .rposition(|seen| seen.done && seen.body == body)
            .unwrap()
    };
    assert!(
        last("a 0") < last(&failing) && last(&failing) < last("a 2"),
        "{seen:?}"
    );
    for body in ["a 0", "b 0"] {
        assert_eq!(
            seen.iter().filter(|seen| seen.body == body).count(),
            1,
            "{seen:?}"
        );
    }
}
