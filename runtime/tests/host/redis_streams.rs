//! Redis Streams at a real Redis with real functions: no entry is lost, and only processed entries
//! and those with a dead letter are acknowledged.

use serde_json::{Value, json};
use testkit::eventually;

use crate::redis_streams_fixture::{SOURCE, StreamFixture};

fn bodies(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("entry {n}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_entry_is_processed_and_acknowledged() {
    let mut fixture = StreamFixture::new("");
    // before the group exists
    fixture.add(&bodies(0..10));
    fixture.host.up().await;
    fixture.add(&bodies(10..60));
    let seen = fixture.eventually_done(60).await;
    fixture.eventually_empty().await;
    let mut found: Vec<String> = seen.iter().map(|seen| seen.body.clone()).collect();
    found.sort();
    let mut expected = bodies(0..60);
    expected.sort();
    assert_eq!(found, expected);
    let bounded = seen
        .iter()
        .all(|seen| seen.receives == 1 && seen.batch <= 10);
    assert!(bounded, "{seen:?}");
    let status = fixture
        .eventually_status("all are acknowledged", |status| {
            status["acknowledged"] == 60
        })
        .await;
    assert_eq!(status["health"]["state"], "ok", "{status}");
    let lag = format!("usher_redis_stream_lag{{mapping=\"{SOURCE}\"}}");
    eventually("the lag is zero", async || {
        (fixture.host.metric(&lag).await == Some(0.0)).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_equals_that_of_a_bridged_message() {
    let mut fixture = StreamFixture::new("");
    fixture.host.up().await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let id: String = fixture.redis(&[
        "XADD",
        &fixture.key(),
        "*",
        "traceparent",
        trace,
        "body",
        "dump",
    ]);
    let seen = fixture.eventually_done(1).await;
    let record: Value = serde_json::from_str(&seen[0].body).unwrap();
    let sent = id.split('-').next().unwrap();
    let attributes = &record["attributes"];
    assert_eq!(attributes["SentTimestamp"], sent, "{record}");
    assert_eq!(attributes["ApproximateReceiveCount"], "1", "{record}");
    let fields = format!(r#"{{"body":"dump","traceparent":"{trace}"}}"#);
    let expected = json!({
        "messageId": id, "receiptHandle": id,
        "body": format!(r#"{{"stream":"things","id":"{id}","fields":{fields}}}"#),
        "attributes": attributes,
        "messageAttributes": { "traceparent": {
            "stringValue": trace, "stringListValues": [], "binaryListValues": [],
            "dataType": "String",
        } },
        "md5OfMessageAttributes": "120017706e835176cc391fbb5520ed06",
        "md5OfBody": record["md5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:Changes",
        "awsRegion": "us-east-1",
    });
    assert_eq!(record, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_failed_entries_come_again() {
    let mut fixture = StreamFixture::new("");
    let mut all = bodies(0..10);
    all[3] = format!("partial-once:{}", fixture.marker("three"));
    all[8] = format!("partial-once:{}", fixture.marker("eight"));
    fixture.add(&all);
    fixture.host.up().await;
    let seen = fixture.eventually_done(10).await;
    fixture.eventually_empty().await;
    for seen in seen.iter().filter(|seen| seen.done) {
        let expected = if seen.body.starts_with("partial") {
            2
        } else {
            1
        };
        assert_eq!(seen.receives, expected, "{seen:?}");
    }
    assert_eq!(seen.len(), 12, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_entry_is_parked_and_replayed() {
    let mut fixture = StreamFixture::new("maximum-retry-attempts = 0");
    let poison = format!("partial-once:{}", fixture.marker("poison"));
    let ids = fixture.add(&[poison.as_str(), "good"]);
    fixture.host.up().await;
    fixture.eventually_done(1).await;
    let dead = eventually("a dead letter", async || fixture.dead_letters().pop()).await;
    let reason = &dead[7];
    assert_eq!(
        dead[..6],
        [
            "dead:id",
            &ids[0],
            "dead:group",
            "workers",
            "dead:deliveries",
            "1"
        ]
    );
    assert!(reason.starts_with("failed in 1 attempts: "), "{reason}");
    assert_eq!(dead[8..], ["body", &poison]);
    fixture.eventually_empty().await;
    let dead_key = fixture.dead_key();
    let listed = fixture.host.said(&["parked", "list"]);
    assert!(listed.contains(&dead_key), "{listed}");
    let shown = fixture.host.said(&["parked", "show", &dead_key]);
    assert!(shown.contains("failed in 1 attempts"), "{shown}");
    fixture.host.said(&["parked", "replay", &dead_key]);
    let seen = fixture.eventually_done(2).await;
    let replayed = seen.iter().find(|seen| seen.done && seen.body == poison);
    assert_eq!(replayed.map(|seen| seen.receives), Some(1), "{seen:?}");
    assert_eq!(fixture.dead_letters(), Vec::<Vec<String>>::new());
    let status = fixture.host.json("/_usher/status").await["streams"][0].clone();
    assert_eq!(
        (&status["parked"], &status["failed"]),
        (&json!(1), &json!(1))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn filtered_and_unreadable_entries_reach_no_function() {
    let filter = r#"filters = ['{"body": {"fields": {"body": [{"prefix": "yes"}]}}}']"#;
    let mut fixture = StreamFixture::new(filter);
    fixture.add(&["no", "yes 1"]);
    let key = fixture.key();
    let _: String = fixture.redis(&["XADD", &key, "*", "twice", "1", "twice", "2"]);
    fixture.host.up().await;
    let dead = eventually("a dead letter", async || fixture.dead_letters().pop()).await;
    assert!(dead[7].contains("\"twice\" occurs twice"), "{dead:?}");
    fixture.eventually_empty().await;
    let seen = fixture.eventually_done(1).await;
    assert_eq!((seen.len(), seen[0].body.as_str()), (1, "yes 1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_host_continues_with_what_it_held() {
    let mut fixture = StreamFixture::new("take-over-after = 3600");
    let hanging = format!("hang-once:{}", fixture.marker("hangs"));
    let mut all = bodies(0..30);
    all[4].clone_from(&hanging);
    fixture.add(&all);
    fixture.host.up().await;
    eventually("an entry hangs", async || {
        std::path::Path::new(&fixture.marker("hangs"))
            .exists()
            .then_some(())
    })
    .await;
    fixture.host.kill();
    assert!(fixture.pending() > 0);
    fixture.host.up().await;
    // batches that were done and not yet acknowledged come again: their number proves nothing
    fixture.eventually_empty().await;
    let seen = fixture.seen();
    let done = seen.iter().filter(|seen| seen.done);
    let bodies: std::collections::BTreeSet<_> = done.map(|seen| &seen.body).collect();
    assert_eq!(bodies.len(), 30, "{seen:?}");
    let hung = seen.iter().find(|seen| seen.body == hanging).unwrap();
    assert_eq!(hung.receives, 2, "the attempt before the kill counts");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_host_takes_over_from_a_killed_one() {
    let keys = "take-over-after = 1\nbatch-size = 1";
    let mut first = StreamFixture::new(keys);
    let mut second = first.other_host(keys);
    let hanging = format!("hang-once:{}", first.marker("hangs"));
    first.add(&[&hanging]);
    first.host.up().await;
    eventually("the entry hangs", async || {
        std::path::Path::new(&first.marker("hangs"))
            .exists()
            .then_some(())
    })
    .await;
    second.host.up().await;
    first.add(&bodies(0..20));
    eventually("both have the rest", async || {
        let done = first.seen().len() + second.seen().len();
        (done == 20).then_some(())
    })
    .await;
    // what is processed and not yet acknowledged would come twice
    eventually("only what hangs is pending", async || {
        (first.pending() == 1).then_some(())
    })
    .await;
    first.host.kill();
    eventually("the other host has it", async || {
        second
            .seen()
            .iter()
            .any(|seen| seen.body == hanging)
            .then_some(())
    })
    .await;
    first.eventually_empty().await;
    let seen = [first.seen(), second.seen()].concat();
    assert_eq!(seen.len(), 21, "each entry once: {seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_stream_is_read_from_its_new_start_with_an_alarm() {
    let mut fixture = StreamFixture::new("");
    fixture.add(&["before"]);
    fixture.host.up().await;
    fixture.eventually_done(1).await;
    fixture.eventually_empty().await;
    let _: u64 = fixture.redis(&["DEL", &fixture.key()]);
    fixture.add(&["after"]);
    fixture.eventually_done(2).await;
    fixture
        .eventually_status("the loss is reported", |status| status["recreated"] == 1)
        .await;
    let (_, health) = fixture.host.health().await;
    assert!(
        health.to_string().contains("was missing 1 times"),
        "{health}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_that_are_trimmed_unread_are_an_alarm() {
    let mut fixture = StreamFixture::new("");
    fixture.add(&["before"]);
    fixture.host.up().await;
    fixture.eventually_done(1).await;
    fixture.eventually_empty().await;
    fixture.host.said(&["set", SOURCE, "paused=true"]);
    fixture
        .eventually_status("it is paused", |status| {
            status["health"]["state"] == "paused"
        })
        .await;
    // a read that was open at the pause may still take one
    eventually("no read is open", async || {
        fixture.add(&["probe"]);
        let status = fixture
            .eventually_status("the group is observed", |status| {
                status["lag"] != json!(null)
            })
            .await;
        (status["lag"].as_u64() >= Some(1)).then_some(())
    })
    .await;
    fixture.add(&bodies(0..5));
    let key = fixture.key();
    let _: u64 = fixture.redis(&["XTRIM", &key, "MAXLEN", "2"]);
    let status = fixture
        .eventually_status("the loss is counted", |status| status["removed"] != 0)
        .await;
    assert!(status["removed"].as_u64() >= Some(3), "{status}");
    let (_, health) = fixture.host.health().await;
    assert!(
        health.to_string().contains("were removed from the stream"),
        "{health}"
    );
    fixture.host.said(&["set", SOURCE, "paused=false"]);
    eventually("the rest is processed", async || {
        fixture.host.seen().contains("entry 4").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_finishes_what_has_begun_and_gives_back_the_rest() {
    let mut fixture = StreamFixture::new("batch-size = 1\nmaximum-concurrency = 1");
    let go = fixture.marker("go");
    let mut all = bodies(0..5);
    all[0] = format!("wait-for:{go}");
    fixture.add(&all);
    fixture.host.up().await;
    fixture
        .eventually_status("the first is in flight", |status| status["in_flight"] == 1)
        .await;
    fixture.host.terminate();
    eventually("the host drains", async || {
        fixture.host.log().contains("draining").then_some(())
    })
    .await;
    std::fs::write(&go, "").unwrap();
    let ended = eventually("the host ends", async || fixture.host.ended()).await;
    assert!(ended.success(), "{ended}: {}", fixture.host.log());
    assert_eq!(fixture.pending(), 0, "nothing else was read");
    assert_eq!(fixture.seen().len(), 1);
    fixture.host.up().await;
    let seen = fixture.eventually_done(5).await;
    fixture.eventually_empty().await;
    assert_eq!(seen.len(), 5, "no entry comes twice: {seen:?}");
    assert!(seen.iter().all(|seen| seen.receives == 1), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_function_uses_up_no_attempt() {
    let mut fixture = StreamFixture::new("maximum-retry-attempts = 0");
    fixture.host.up().await;
    fixture.host.said(&["set", "Worker", "concurrency=1"]);
    let go = fixture.marker("go");
    let occupant = json!({ "Records": [{
        "messageId": "occupant", "body": format!("wait-for:{go}"),
        "attributes": { "ApproximateReceiveCount": "1" },
    }] });
    let call = reqwest::Client::new()
        .post(fixture.host.function("Worker"))
        .body(occupant.to_string());
    let call = tokio::spawn(call.send());
    eventually("the function is busy", async || {
        let status = fixture.host.json("/_usher/status").await;
        let in_flight = &status["functions"][0]["instances"][0]["in_flight"];
        in_flight.as_array().filter(|all| !all.is_empty()).map(drop)
    })
    .await;
    fixture.add(&bodies(0..3));
    fixture
        .eventually_status("the entries wait", |status| {
            status["lag"].as_u64() >= Some(1)
        })
        .await;
    std::fs::write(&go, "").unwrap();
    assert_eq!(call.await.unwrap().unwrap().status(), 200);
    let seen = fixture.eventually_done(4).await;
    fixture.eventually_empty().await;
    assert!(seen.iter().all(|seen| seen.receives == 1), "{seen:?}");
    assert_eq!(fixture.dead_letters(), Vec::<Vec<String>>::new());
}
