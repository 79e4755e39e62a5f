//! Parked records: listed, shown, replayed, discarded.

use std::time::Duration;

use lambda_batch::Reason;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use serde_json::{Value, json};
use shared::store::Arrival;
use storefront::App;
use storefront::http::Call;
use storefront::kafka::Published;
use testkit::until;

use crate::support::{Scripted, by, open, open_with, problem};

/// Scopes for every action on parked records.
const BOTH: &str = "parked:read parked:write";

pub(crate) fn get(path: &str) -> Call {
    by("ops", BOTH, "GET", path, None)
}

pub(crate) fn post(path: &str, body: Option<Value>) -> Call {
    by("ops", BOTH, "POST", path, body)
}

/// Key and value of a record.
pub(crate) type Bytes<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

/// Parks records as order-create does, in the transaction that passes over them. Returns their ids.
pub(crate) async fn park(app: &App, topic: &str, records: &[Bytes<'_>]) -> Vec<String> {
    let arrivals: Vec<_> = records
        .iter()
        .enumerate()
        .map(|(at, (key, value))| Arrival {
            topic,
            partition: 1,
            offset: at as i64,
            appended_ms: Some(1_800_000_000_000),
            key: *key,
            value: *value,
            message: Err(Reason::new("not JSON: expected value at line 1 column 1")),
        })
        .collect();
    let stored = app.store.store_orders(&arrivals, 1_000).await;
    assert_eq!(
        (stored.unfinished, stored.parked.len()),
        (None, records.len())
    );
    let mut found = app
        .store
        .parked(Some(topic), None, None, 1000)
        .await
        .expect("Postgres runs");
    found.sort_by_key(|record| record.offset);
    found
        .into_iter()
        .map(|record| record.id.to_string())
        .collect()
}

/// Key and value at an offset.
pub(crate) async fn read(
    app: &App,
    partition: i32,
    offset: i64,
) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", &app.settings.brokers)
        .set("group.id", "none")
        .set("enable.auto.commit", "false");
    let consumer: StreamConsumer = config.create().expect("a consumer");
    let mut from = TopicPartitionList::new();
    from.add_partition_offset(&app.settings.topic, partition, Offset::Offset(offset))
        .expect("an offset");
    consumer.assign(&from).expect("assigned");
    let received = tokio::time::timeout(Duration::from_secs(20), consumer.recv())
        .await
        .expect("the record is there");
    let message = received.expect("Kafka runs");
    assert_eq!((message.partition(), message.offset()), (partition, offset));
    (
        message.key().map(<[u8]>::to_vec),
        message.payload().map(<[u8]>::to_vec),
    )
}

#[tokio::test]
async fn a_replay_publishes_the_same_bytes() {
    let app = open().await;
    let noise: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    let records: [Bytes<'_>; 4] = [
        (
            Some(b"382126012366848001"),
            Some(br#"{"v":2,"order":"382126012366848001"}"#),
        ),
        (Some(&[0xff, 0x00]), Some(&noise)),
        (None, Some(b"no key")),
        (Some(b"no value"), None),
    ];
    let topic = app.settings.topic.clone();
    let ids = park(&app, &topic, &records).await;
    for (id, (key, value)) in ids.iter().zip(records) {
        let shown = app
            .serve(&get(&format!("/parked/{id}")))
            .await
            .expect("shown")
            .body;
        assert_eq!(
            (&shown["topic"], &shown["partition"], &shown["state"]),
            (&json!(topic), &json!(1), &json!("parked"))
        );
        assert!(
            shown["reason"]
                .as_str()
                .is_some_and(|why| why.contains("not JSON")),
            "{shown}"
        );
        assert_eq!(shown["value_bytes"], json!(value.map(<[u8]>::len)));
        assert_eq!(
            shown["key"]["text"].as_str().map(str::as_bytes),
            key.filter(|key| key.is_ascii())
        );
        assert_eq!(
            shown["value"]["base64"].is_string(),
            value == Some(noise.as_slice()),
            "{shown}"
        );
        let replayed = app
            .serve(&post(&format!("/parked/{id}/replay"), None))
            .await
            .expect("replayed")
            .body;
        let place = &replayed["replayed"];
        let partition = place["partition"].as_i64().expect("where") as i32;
        let offset = place["offset"].as_i64().expect("where");
        assert_eq!(
            read(&app, partition, offset).await,
            (key.map(<[u8]>::to_vec), value.map(<[u8]>::to_vec))
        );
        let shown = app
            .serve(&get(&format!("/parked/{id}")))
            .await
            .expect("shown")
            .body;
        assert_eq!(
            (&shown["state"], &shown["replays"]),
            (&json!("replayed"), &json!(1))
        );
        let done = &shown["history"][0];
        assert_eq!(
            (&done["outcome"], &done["by"], &done["partition"]),
            (&json!("published"), &json!("ops"), &json!(partition))
        );
        assert_eq!(done["offset"], json!(offset.to_string()));
    }
}

#[tokio::test]
async fn repeated_replay_requests_replay_once() {
    let publisher = Scripted::new([]);
    let app = open_with(publisher.clone()).await;
    let topic = app.settings.topic.clone();
    let id = park(&app, &topic, &[(Some(b"k"), Some(b"v"))])
        .await
        .remove(0);
    let click = post(&format!("/parked/{id}/replay"), None);
    let (a, b, c) = tokio::join!(app.serve(&click), app.serve(&click), app.serve(&click));
    assert_eq!(
        [&a, &b, &c]
            .into_iter()
            .filter(|answer| answer.is_ok())
            .count(),
        1,
        "{a:?} {b:?} {c:?}"
    );
    let later = app.serve(&click).await.expect_err("done already");
    assert_eq!(
        (later.status, later.code, later.extras.get("replays")),
        (409, "already_replayed", Some(&json!(1)))
    );
    assert_eq!(publisher.put_back.lock().expect("whole").len(), 1);
    let again = post(&format!("/parked/{id}/replay"), Some(json!({"replays": 1})));
    assert_eq!(
        app.serve(&again).await.expect("requested").body["replays"],
        2
    );
    assert_eq!(problem(app.serve(&again).await), (409, "already_replayed"));
    let put_back = publisher.put_back.lock().expect("whole").clone();
    assert_eq!(
        put_back,
        vec![(topic, Some(b"k".to_vec()), Some(b"v".to_vec())); 2]
    );
}

#[tokio::test]
async fn a_failed_replay_leaves_the_record_parked() {
    let refused = Published::Refused("the queue is full".to_owned());
    let unknown = Published::Unknown("no word".to_owned());
    let publisher = Scripted::new([Some(refused), Some(unknown)]);
    let app = open_with(publisher.clone()).await;
    let topic = app.settings.topic.clone();
    let id = park(&app, &topic, &[(None, Some(b"v"))]).await.remove(0);
    let click = post(&format!("/parked/{id}/replay"), None);
    assert_eq!(problem(app.serve(&click).await), (503, "replay_failed"));
    assert_eq!(problem(app.serve(&click).await), (503, "replay_unknown"));
    let state = async || {
        app.serve(&get(&format!("/parked/{id}")))
            .await
            .expect("shown")
            .body
    };
    assert_eq!(state().await["state"], "parked");
    assert_eq!(
        app.serve(&click).await.expect("replayed").body["state"],
        "replayed"
    );
    let history = state().await["history"].clone();
    let outcomes: Vec<_> = history
        .as_array()
        .expect("a list")
        .iter()
        .map(|tried| tried["outcome"].clone())
        .collect();
    assert_eq!(outcomes, ["published", "unknown", "refused"]);
}

#[tokio::test]
async fn a_replay_under_way_excludes_other_actions() {
    let publisher = Scripted::new([None]);
    let app = open_with(publisher.clone()).await;
    let topic = app.settings.topic.clone();
    let id = park(&app, &topic, &[(None, Some(b"v"))]).await.remove(0);
    let click = post(&format!("/parked/{id}/replay"), None);
    let under_way = async {
        until("it is being put back", async || {
            !publisher.put_back.lock().expect("whole").is_empty()
        })
        .await;
        assert_eq!(problem(app.serve(&click).await), (409, "replay_under_way"));
        let discard = post(
            &format!("/parked/{id}/discard"),
            Some(json!({"why": "no use"})),
        );
        assert_eq!(
            problem(app.serve(&discard).await),
            (409, "replay_under_way")
        );
        assert_eq!(
            app.serve(&get(&format!("/parked/{id}")))
                .await
                .expect("shown")
                .body["replay_under_way"],
            true
        );
    };
    tokio::select! {
        answer = app.serve(&click) => panic!("answered: {answer:?}"),
        () = under_way => {}
    }
}

#[tokio::test]
async fn a_discarded_record_is_kept_and_never_replayed() {
    let publisher = Scripted::new([]);
    let app = open_with(publisher.clone()).await;
    let topic = app.settings.topic.clone();
    let ids = park(&app, &topic, &[(None, Some(b"v")), (None, Some(b"w"))]).await;
    let discard = |who, why: &str| {
        by(
            who,
            BOTH,
            "POST",
            &format!("/parked/{}/discard", ids[0]),
            Some(json!({"why": why})),
        )
    };
    for bad in ["", "  ", "two\nlines", &"x".repeat(501)] {
        assert_eq!(
            problem(app.serve(&discard("ann", bad)).await),
            (422, "invalid_discard"),
            "{bad:?}"
        );
    }
    let gone = app
        .serve(&discard("ann", "a test of the provider's"))
        .await
        .expect("discarded")
        .body;
    let again = app
        .serve(&discard("bob", "me too"))
        .await
        .expect("harmless")
        .body;
    assert_eq!(
        (&gone["state"], &gone["discarded"]),
        (&again["state"], &again["discarded"])
    );
    assert_eq!(
        (&gone["discarded"]["by"], &gone["discarded"]["why"]),
        (&json!("ann"), &json!("a test of the provider's"))
    );
    let shown = app
        .serve(&get(&format!("/parked/{}", ids[0])))
        .await
        .expect("kept")
        .body;
    assert_eq!(
        (&shown["state"], &shown["value"]["text"]),
        (&json!("discarded"), &json!("v"))
    );
    assert_eq!(
        problem(
            app.serve(&post(&format!("/parked/{}/replay", ids[0]), None))
                .await
        ),
        (409, "already_discarded")
    );
    app.serve(&post(&format!("/parked/{}/replay", ids[1]), None))
        .await
        .expect("replayed");
    let late = post(
        &format!("/parked/{}/discard", ids[1]),
        Some(json!({"why": "no use"})),
    );
    assert_eq!(problem(app.serve(&late).await), (409, "already_replayed"));
    assert_eq!(publisher.put_back.lock().expect("whole").len(), 1);
    assert_eq!(
        app.store.counts().await.expect("Postgres runs").parked,
        0,
        "nothing waits for a person"
    );
}
