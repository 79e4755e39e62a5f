//! Dead letters on real servers: seen, and brought back.

use std::collections::BTreeMap;

use serde_json::json;
use usher::model::{self, Destination};
use usher::parked::{self, Replayed};

use crate::operations_stage::Application;
use crate::support::eventually;
use crate::{kafka, sqs_stage};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_of_a_queue_is_listed_shown_and_brought_back() {
    let mut application = Application::new();
    application.up().await;
    let marker = application.path().join("marker");
    let body = format!("partial-once:{}", marker.display());
    application.send(&application.queue, &body).await;
    let dead = format!("{}-dead", application.queue);
    eventually("the message is dead", async || {
        let listed = application.said(&["parked", "list"]);
        listed.contains(&format!(" 1  from queue {}", application.queue)).then_some(())
    })
    .await;
    let shown = application.said(&["parked", "show", &dead]);
    for part in [body.as_str(), "maxReceiveCount", &format!("back to queue {}", application.queue)] {
        assert!(shown.contains(part), "{part} is missing from {shown}");
    }
    assert!(application.said(&["parked", "replay", &dead, "--dry-run"]).contains("nothing was changed"));
    assert!(!application.seen().contains("done"));
    let said = application.said(&["parked", "replay", &dead]);
    assert!(said.contains("1 letters are back"), "{said}");
    eventually("the function is done with it", async || application.seen().contains(&format!("done {body}")).then_some(())).await;
    assert!(application.said(&["parked", "list"]).contains(" 0  from"));
    let wrong = application.usher(&["parked", "show", "nowhere"]);
    assert!(String::from_utf8_lossy(&wrong.stderr).contains(&dead), "the places are named");
}

/// An application with one mapping of this stage's topic that fails to this destination.
fn failing_to(stage: &kafka::Stage, destination: Destination) -> model::Application {
    let mapping = model::KafkaMapping { on_failure: Some(destination), ..stage.mapping.clone() };
    model::Application {
        kafka: vec![mapping],
        sqs_endpoint: Some(sqs_stage::endpoint()),
        functions: BTreeMap::new(),
        ..model::Application::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_that_a_letter_only_names_are_read_again_and_written_to_the_end_of_their_topic() {
    let stage = kafka::Stage::new(2).await;
    stage.produce(1, &kafka::values(0..4)).await;
    let queues = sqs_stage::Stage::with(sqs_stage::endpoint(), "", None).await;
    let name = queues.mapping.queue_name().to_owned();
    let app = failing_to(&stage, Destination::Sqs(queues.mapping.queue_arn.clone()));
    let letter = |first: i64, last: i64| {
        let info = json!({ "firstRecordOffset": first.to_string(), "lastRecordOffset": last.to_string() });
        let topic = format!("{}-1", stage.mapping.topics[0]);
        json!({ "requestContext": { "condition": "RetryAttemptsExhausted" }, "KafkaBatchInfo": { "recordsInfo": { topic: info } } })
    };
    queues.send(&[letter(1, 2), letter(90, 91)]).await;
    let place = parked::places(&app).remove(0);
    assert_eq!(place.name, name);
    assert_eq!(parked::counted(&app).await[0].count, 2);
    let seen = parked::peek(&app, &place, 10).await.unwrap();
    assert!(
        seen.iter().any(|letter| letter.reason == "RetryAttemptsExhausted" && letter.back_to.ends_with("1 offsets 1 to 2")),
        "{seen:?}"
    );
    let replayed = parked::replay(&app, &place, 10).await.unwrap();
    assert_eq!((replayed.letters, replayed.records, replayed.stayed.len()), (1, 2, 1), "{replayed:?}");
    assert!(replayed.stayed[0].contains("those records are gone"), "{replayed:?}");
    assert_eq!(queues.left().await, (1, 0), "what cannot be brought back stays, and can be seen");
    let running = stage.start();
    let records = stage.eventually_seen(6).await;
    assert_eq!(records[4..].iter().map(|(_, _, value)| value.as_str()).collect::<Vec<_>>(), ["value 1", "value 2"]);
    running.drain().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_of_a_topic_come_back_once_in_order_and_within_the_limit() {
    let source = kafka::Stage::new(1).await;
    let dead = kafka::Stage::new(1).await;
    let wrapped = |value: &str| {
        use base64::Engine as _;
        let value = base64::engine::general_purpose::STANDARD.encode(value);
        let topic = &source.mapping.topics[0];
        let record = json!({ "topic": topic, "partition": 0, "offset": 1, "value": value, "headers": [] });
        json!({ "requestContext": { "condition": "RetriesExhausted" }, "payload": { "records": { format!("{topic}-0"): [record] } } }).to_string()
    };
    dead.produce(0, &["a", "b", "c"].map(wrapped)).await;
    let app = failing_to(&source, Destination::KafkaTopic(dead.mapping.topics[0].clone()));
    let place = parked::places(&app).remove(0);
    let seen = parked::peek(&app, &place, 10).await.unwrap();
    assert_eq!((seen.len(), seen[0].body.as_str(), seen[0].reason.as_str()), (3, "a", "RetriesExhausted"));
    for (limit, left) in [(2, 1), (10, 0), (10, 0)] {
        let before = parked::counted(&app).await[0].count;
        let expected = Replayed { letters: before - left, records: before - left, stayed: Vec::new() };
        assert_eq!(parked::replay(&app, &place, limit).await.unwrap(), expected);
        assert_eq!(parked::counted(&app).await[0].count, left);
    }
    let running = source.start();
    let values: Vec<String> = source.eventually_seen(3).await.into_iter().map(|(_, _, value)| value).collect();
    assert_eq!(values, ["a", "b", "c"]);
    running.drain().await;
}
