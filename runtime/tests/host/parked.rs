//! Dead letters on real servers are shown and replayed.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use sam_template::model::{self, Destination};
use serde_json::json;
use testkit::eventually;
use usher::parked::ReplaySummary;
use usher::sources;

use crate::operations_fixture::Application;
use crate::support::{add_function, usher_up};
use crate::{kafka_fixture, sqs_fixture};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queues_dead_letter_is_listed_and_replayed() {
    let mut application = Application::new();
    application.up().await;
    let marker = application.path().join("marker");
    let body = format!("partial-once:{}", marker.display());
    application.send(&application.queue, &body).await;
    let dead = format!("{}-dead", application.queue);
    eventually("the message is a dead letter", async || {
        let listed = application.said(&["parked", "list"]);
        listed
            .contains(&format!(" 1  from queue {}", application.queue))
            .then_some(())
    })
    .await;
    let shown = application.said(&["parked", "show", &dead]);
    for part in [
        body.as_str(),
        "maxReceiveCount",
        &format!("back to queue {}", application.queue),
    ] {
        assert!(shown.contains(part), "{part} is missing from {shown}");
    }
    assert!(
        application
            .said(&["parked", "replay", &dead, "--dry-run"])
            .contains("nothing was changed")
    );
    assert!(!application.seen().contains("done"));
    let said = application.said(&["parked", "replay", &dead]);
    assert!(said.contains("1 dead letters are back"), "{said}");
    eventually("the function is done with it", async || {
        application
            .seen()
            .contains(&format!("done {body}"))
            .then_some(())
    })
    .await;
    assert!(application.said(&["parked", "list"]).contains(" 0  from"));
    let wrong = application.usher(&["parked", "show", "nowhere"]);
    assert!(
        String::from_utf8_lossy(&wrong.stderr).contains(&dead),
        "the error lists the stores"
    );
}

/// An application with one mapping of this fixture's topic that fails to this destination.
fn failing_to(
    fixture: &kafka_fixture::KafkaFixture,
    destination: Destination,
) -> model::Application {
    let mapping = model::KafkaMapping {
        on_failure: Some(destination),
        ..fixture.mapping.clone()
    };
    model::Application {
        kafka: vec![mapping],
        sqs_endpoint: Some(sqs_fixture::endpoint()),
        functions: BTreeMap::new(),
        ..model::Application::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_of_a_failure_record_are_appended_again() {
    let fixture = kafka_fixture::KafkaFixture::new(2).await;
    fixture.produce(1, &kafka_fixture::values(0..4)).await;
    let queues = sqs_fixture::SqsFixture::with(sqs_fixture::endpoint(), "", None).await;
    let name = queues.mapping.queue_name().to_owned();
    let app = failing_to(&fixture, Destination::Sqs(queues.mapping.queue_arn.clone()));
    let failure_record = |first: i64, last: i64| {
        let info =
            json!({ "firstRecordOffset": first.to_string(), "lastRecordOffset": last.to_string() });
        let topic = format!("{}-1", fixture.mapping.topics[0]);
        json!({
            "requestContext": { "condition": "RetryAttemptsExhausted" },
            "KafkaBatchInfo": { "recordsInfo": { topic: info } },
        })
    };
    queues
        .send(&[failure_record(1, 2), failure_record(90, 91)])
        .await;
    let store = sources::dead_letter_stores(&app).stores.remove(0);
    assert_eq!(store.name(), name);
    assert_eq!(store.count().await.unwrap(), 2);
    let seen = store.peek(10).await.unwrap();
    assert!(
        seen.iter()
            .any(|dead| dead.reason == "RetryAttemptsExhausted"
                && dead.back_to.ends_with("1 offsets 1 to 2")),
        "{seen:?}"
    );
    let replayed = store.replay(10, None).await.unwrap();
    assert_eq!(
        (
            replayed.dead_letters,
            replayed.records,
            replayed.stayed.len()
        ),
        (1, 2, 1),
        "{replayed:?}"
    );
    assert!(
        replayed.stayed[0].contains("those records are gone"),
        "{replayed:?}"
    );
    assert_eq!(
        queues.left().await,
        (1, 0),
        "a dead letter that cannot be replayed stays visible"
    );
    let running = fixture.start();
    let records = fixture.eventually_seen(6).await;
    assert_eq!(
        records[4..]
            .iter()
            .map(|(_, _, value)| value.as_str())
            .collect::<Vec<_>>(),
        ["value 1", "value 2"]
    );
    running.drain().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_topics_dead_letters_are_replayed_in_order() {
    let source = kafka_fixture::KafkaFixture::new(1).await;
    let dead = kafka_fixture::KafkaFixture::new(1).await;
    let wrapped = |value: &str| {
        use base64::Engine as _;
        let value = base64::engine::general_purpose::STANDARD.encode(value);
        let topic = &source.mapping.topics[0];
        let record =
            json!({ "topic": topic, "partition": 0, "offset": 1, "value": value, "headers": [] });
        json!({
            "requestContext": { "condition": "RetriesExhausted" },
            "payload": { "records": { format!("{topic}-0"): [record] } },
        })
        .to_string()
    };
    dead.produce(0, &["a", "b", "c"].map(wrapped)).await;
    let app = failing_to(
        &source,
        Destination::KafkaTopic(dead.mapping.topics[0].clone()),
    );
    let store = sources::dead_letter_stores(&app).stores.remove(0);
    let seen = store.peek(10).await.unwrap();
    assert_eq!(
        (seen.len(), seen[0].body.as_str(), seen[0].reason.as_str()),
        (3, "a", "RetriesExhausted")
    );
    for (limit, left) in [(2, 1), (10, 0), (10, 0)] {
        let before = store.count().await.unwrap();
        let expected = ReplaySummary {
            dead_letters: before - left,
            records: before - left,
            stayed: Vec::new(),
        };
        assert_eq!(store.replay(limit, None).await.unwrap(), expected);
        assert_eq!(store.count().await.unwrap(), left);
    }
    let running = source.start();
    let values: Vec<String> = source
        .eventually_seen(3)
        .await
        .into_iter()
        .map(|(_, _, value)| value)
        .collect();
    assert_eq!(values, ["a", "b", "c"]);
    running.drain().await;
}

/// Length of the request id that `usher invoke --async` prints.
const REQUEST_ID: usize = 36;

/// Runs `usher` in this project and returns its output and error output.
pub(crate) fn usher(project: &std::path::Path, arguments: &[&str]) -> String {
    let mut usher = Command::new(env!("CARGO_BIN_EXE_usher"));
    let output = usher
        .args(arguments)
        .current_dir(project)
        .stdin(Stdio::null())
        .env_remove("RUST_LOG")
        .output()
        .unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn discarded_events_are_shown_and_submitted_again() {
    let project = tempfile::tempdir().unwrap();
    let queue = format!("host-{}", kafka_fixture::random());
    let seen = project.path().join("seen");
    let template = format!(
        "\
Transform: AWS::Serverless-2016-10-31
Resources:
  Discarded: {{Type: AWS::SQS::Queue, Properties: {{QueueName: {queue}-discarded}}}}
  Dead: {{Type: AWS::SQS::Queue, Properties: {{QueueName: {queue}-dead}}}}
  Echo:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: provided.al2023
      CodeUri: built
      Environment: {{Variables: {{RECORD_TO: {}}}}}
      DeadLetterQueue: {{Type: SQS, TargetArn: !GetAtt Dead.Arn}}
      EventInvokeConfig:
        MaximumRetryAttempts: 0
        DestinationConfig: {{OnFailure: {{Type: SQS, Destination: !GetAtt Discarded.Arn}}}}
",
        seen.display()
    );
    std::fs::write(project.path().join("template.yaml"), template).unwrap();
    std::fs::write(
        project.path().join("usher.toml"),
        format!("[endpoints]\nsqs = '{}'\n", sqs_fixture::endpoint()),
    )
    .unwrap();
    add_function(project.path());
    let body = format!("fail-once:{}", project.path().join("marker").display());
    let message = json!({
        "messageId": "m",
        "body": body,
        "attributes": { "ApproximateReceiveCount": "1" },
    });
    let event = json!({ "Records": [message] });
    std::fs::write(project.path().join("event.json"), event.to_string()).unwrap();
    let up = || usher_up(project.path(), &["--listen", "127.0.0.1:0"]);
    let host = up();
    let invoke = ["invoke", "Echo", "-e", "event.json", "--async"];
    let accepted =
        async || (usher(project.path(), &invoke).trim().len() == REQUEST_ID).then_some(());
    eventually("the event is accepted", accepted).await;
    let queues = [format!("{queue}-discarded"), format!("{queue}-dead")];
    eventually("both queues have a dead letter", async || {
        let listed = usher(project.path(), &["parked", "list"]);
        (listed.matches(" 1  from events of Echo").count() == 2).then_some(())
    })
    .await;
    drop(host);
    for queue in &queues {
        let shown = usher(project.path(), &["parked", "show", queue]);
        assert!(
            shown.contains("back to function Echo, as an event") && shown.contains(&body),
            "{shown}"
        );
    }
    let refused = usher(project.path(), &["parked", "replay", &queues[0]]);
    assert!(
        refused.contains("0 dead letters are back") && refused.contains("usher up"),
        "{refused}"
    );

    let host = up();
    std::fs::remove_file(project.path().join("marker")).unwrap();
    eventually("another event is accepted", accepted).await;
    eventually("both queues have a second one", async || {
        let listed = usher(project.path(), &["parked", "list"]);
        (listed.matches(" 2  from events of Echo").count() == 2).then_some(())
    })
    .await;
    for queue in &queues {
        eventually("the dead letters are replayed", async || {
            usher(project.path(), &["parked", "replay", queue])
                .contains("2 dead letters are back at their source")
                .then_some(())
        })
        .await;
    }
    eventually("all events are processed", async || {
        let seen = std::fs::read_to_string(&seen).unwrap_or_default();
        (seen.matches(&format!("done {body}")).count() == 4).then_some(())
    })
    .await;
    drop(host);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parked_stream_entry_is_replayed_unchanged() {
    let url = testkit::servers::cache_url();
    let mut redis = redis::Client::open(url.as_str())
        .unwrap()
        .get_multiplexed_async_connection()
        .await
        .unwrap();
    let stream = format!("host-{}:{{jobs}}", kafka_fixture::random());
    let dead = format!("{stream}-dead");
    let parked: [&[u8]; 8] = [
        b"dead:id",
        b"5-0",
        b"dead:group",
        b"workers",
        b"dead:deliveries",
        b"3",
        b"dead:reason",
        b"no number",
    ];
    let own: [&[u8]; 4] = [b"id", b"7", b"\xff", b"\xff\x00"];
    let packed = [&[0x92][..], &[0xa2], b"id", &[0xa1], b"8"].concat();
    // those that stay come first
    let entries: [Vec<&[u8]>; 4] = [
        parked.to_vec(),
        vec![b"id", b"9"],
        [&parked[..], &own[..]].concat(),
        [&parked[..], &[b"dead:packed", &packed]].concat(),
    ];
    for entry in &entries {
        redis::cmd("XADD")
            .arg(&dead)
            .arg("*")
            .arg(entry)
            .query_async::<()>(&mut redis)
            .await
            .unwrap();
    }
    let project = tempfile::tempdir().unwrap();
    std::fs::write(
        project.path().join("template.yaml"),
        "Transform: AWS::Serverless-2016-10-31\nResources: {}\n",
    )
    .unwrap();
    std::fs::write(
        project.path().join("usher.toml"),
        format!("[endpoints]\nredis = '{url}'\n"),
    )
    .unwrap();
    let listed = usher(project.path(), &["parked", "list"]);
    assert!(
        listed
            .lines()
            .any(|line| line.starts_with(&dead)
                && line.ends_with(&format!(" 4  from stream {stream}"))),
        "{listed}"
    );
    let shown = usher(project.path(), &["parked", "show", &dead]);
    for part in [
        "no number (entry 5-0, delivered 3 times to group workers)",
        "id=7",
        &format!("back to stream {stream}"),
        "nowhere: no consumer group",
    ] {
        assert!(shown.contains(part), "{part} is missing from {shown}");
    }
    assert!(
        usher(project.path(), &["parked", "replay", &dead, "--dry-run"])
            .contains("nothing was changed")
    );
    for left in [1, 0] {
        let replayed = usher(project.path(), &["parked", "replay", &dead, "--limit", "1"]);
        assert!(
            replayed.contains("1 dead letters are back at their source (1 records), 2 stay"),
            "{left} left: {replayed}"
        );
    }
    let back: Vec<(String, Vec<Vec<u8>>)> = redis::cmd("XRANGE")
        .arg(&stream)
        .arg("-")
        .arg("+")
        .query_async(&mut redis)
        .await
        .unwrap();
    let fields: Vec<&[Vec<u8>]> = back.iter().map(|(_, fields)| &fields[..]).collect();
    assert_eq!(
        fields,
        [
            &own.map(<[u8]>::to_vec)[..],
            &[b"id".to_vec(), b"8".to_vec()]
        ]
    );
    assert!(
        usher(project.path(), &["parked", "replay", &dead])
            .contains("0 dead letters are back at their source (0 records), 2 stay")
    );
    redis::cmd("DEL")
        .arg(&dead)
        .arg(&stream)
        .query_async::<()>(&mut redis)
        .await
        .unwrap();
}
