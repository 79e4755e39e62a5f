//! Lag: records between the position and the last stable offset, without transaction markers and
//! aborted records.

use rdkafka::producer::Producer as _;
use testkit::eventually;
use tokio::task::block_in_place;

use crate::kafka_fixture::KafkaFixture;
use crate::sources_fixture::{Host, PATIENCE, send, transaction};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transaction_markers_and_aborted_records_are_no_lag() {
    let fixture = KafkaFixture::new(1).await;
    let mut host = Host::of(&fixture, &[]);
    host.up().await;
    let producer = transaction(&fixture);
    send(&producer, &fixture, &["one", "two"]).await;
    block_in_place(|| producer.commit_transaction(PATIENCE)).unwrap();
    host.eventually_seen("two").await;
    // two records and a marker
    let all_read = async |end: i64| {
        let partition = eventually("all is read", async || {
            let partition =
                host.json("/_usher/status").await["mappings"][0]["partitions"][0].clone();
            (partition["lag"] == 0 && partition["end"] == end && partition["position"] == end)
                .then_some(partition)
        })
        .await;
        assert_eq!(partition["health"]["state"], "ok", "{partition}");
        eventually("it is committed", async || {
            (fixture.committed(0).await == Some(end)).then_some(())
        })
        .await;
    };
    all_read(3).await;
    producer.begin_transaction().unwrap();
    send(&producer, &fixture, &["three", "four", "five"]).await;
    block_in_place(|| producer.abort_transaction(PATIENCE)).unwrap();
    all_read(7).await;
    assert!(!host.seen().contains("three"), "aborted");
    let labels = format!(
        "{{mapping=\"Worker.Orders\",topic=\"{}\",partition=\"0\"}}",
        fixture.mapping.topics[0]
    );
    assert_eq!(
        host.metric(&format!("usher_kafka_lag{labels}")).await,
        Some(0.0)
    );
    fixture.produce(0, &["six".to_owned()]).await;
    host.eventually_seen("six").await;
    all_read(8).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offsets_list_counts_no_transaction_markers() {
    let fixture = KafkaFixture::new(1).await;
    let mut host = Host::of(&fixture, &[]);
    fixture.produce(0, &["one".to_owned()]).await;
    host.up().await;
    eventually("all is done", async || {
        (fixture.committed(0).await == Some(1)).then_some(())
    })
    .await;
    drop(host);
    let host = Host::of(&fixture, &[]);
    let producer = transaction(&fixture);
    send(&producer, &fixture, &["two", "three"]).await;
    block_in_place(|| producer.abort_transaction(PATIENCE)).unwrap();
    let lag = |listed: &str| {
        let row = listed
            .lines()
            .find(|line| line.contains(&format!("{}-0", fixture.mapping.topics[0])))
            .unwrap()
            .to_owned();
        row.split_whitespace()
            .skip(1)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let listed = host.said(&["offsets", "list"]);
    assert_eq!(
        lag(&listed),
        ["1", "0", "4", "0"],
        "committed, start, end, lag: {listed}"
    );
    fixture.produce(0, &["four".to_owned()]).await;
    let listed = host.said(&["offsets", "list"]);
    assert_eq!(lag(&listed), ["1", "0", "5", "1"], "{listed}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_partition_reports_its_whole_lag() {
    let fixture = KafkaFixture::new(1).await;
    let mut host = Host::of(&fixture, &[]);
    let large: Vec<String> = (0..3_000)
        .map(|n| format!("{n} {}", "x".repeat(3_000)))
        .collect();
    fixture.produce(0, &["always-fail".to_owned()]).await;
    fixture.produce(0, &large).await;
    host.up().await;
    let lag = async |lag: i64| {
        eventually("the lag is the log's", async || {
            let partition =
                host.json("/_usher/status").await["mappings"][0]["partitions"][0].clone();
            (partition["lag"] == lag && partition["position"] == 0).then_some(())
        })
        .await;
    };
    lag(3_001).await;
    host.eventually("mappings", "failing").await;
    fixture.produce(0, &large).await;
    lag(6_001).await;
}
