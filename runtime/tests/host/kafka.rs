//! Records of a real broker reach real functions: none is lost, the order is kept, and only records
//! that are done are committed.

use std::time::Duration;

use sam_template::model::{Function, StartingPosition};
use testkit::eventually;
use testkit::kafka::PrivateKafka;

use crate::kafka_fixture::{KafkaFixture, recording, values};
use crate::support::pool;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_during_the_first_assignment_ends() {
    let mut stuck = Vec::new();
    for ms in (0..160).step_by(4) {
        let fixture = KafkaFixture::new(4).await;
        let running = fixture.start();
        tokio::time::sleep(Duration::from_millis(ms)).await;
        let patience = usher::sources::kafka::LEAVING + Duration::from_secs(10);
        if tokio::time::timeout(patience, running.drain())
            .await
            .is_err()
        {
            stuck.push(ms);
        }
    }
    assert!(
        stuck.is_empty(),
        "drains that did not end, by their delay in milliseconds: {stuck:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_or_crashed_batch_is_retried() {
    let fixture = KafkaFixture::new(1).await;
    let mut values = values(0..30);
    values[3] = format!("fail-once:{}", fixture.marker("three"));
    values[20] = format!("crash-once:{}", fixture.marker("twenty"));
    fixture.produce(0, &values).await;
    let running = fixture.start();
    eventually("the last record is done", async || {
        fixture.seen().iter().any(|r| r.1 == 29).then_some(())
    })
    .await;
    running.drain().await;
    let mut offsets: Vec<i64> = fixture.seen().iter().map(|r| r.1).collect();
    offsets.sort_unstable();
    offsets.dedup();
    assert_eq!(offsets, (0..30).collect::<Vec<_>>());
    assert_eq!(fixture.committed(0).await, Some(30));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hanging_batch_times_out_and_is_retried() {
    let mut fixture = KafkaFixture::new(1).await;
    fixture.pool = pool(Function {
        timeout: Duration::from_secs(1),
        ..recording(&fixture.folder)
    });
    fixture
        .produce(
            0,
            &[
                format!("hang-once:{}", fixture.marker("hang")),
                "later".into(),
            ],
        )
        .await;
    let running = fixture.start();
    let seen = fixture.eventually_seen(2).await;
    running.drain().await;
    assert_eq!(seen.iter().map(|r| r.1).collect::<Vec<_>>(), [0, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn latest_skips_earlier_records_and_no_later_ones() {
    let mut fixture = KafkaFixture::new(1).await;
    fixture.mapping.start = StartingPosition::Latest;
    fixture.produce(0, &values(0..5)).await;
    let running = fixture.start();
    eventually("the start is committed", async || {
        fixture.committed(0).await
    })
    .await;
    running.drain().await;
    // written while no host ran, but after the first assignment: not skipped
    fixture.produce(0, &values(5..8)).await;
    let running = fixture.start();
    let seen = fixture.eventually_seen(3).await;
    running.drain().await;
    assert_eq!(seen.iter().map(|r| r.1).collect::<Vec<_>>(), [5, 6, 7]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exhausted_retries_discard_only_the_failing_record() {
    let mut fixture = KafkaFixture::new(1).await;
    fixture.mapping.max_retries = Some(0);
    fixture.mapping.bisect = true;
    let mut values = values(0..8);
    // the marker cannot be created: the function fails every time
    values[5] = "fail-once:/nonexistent/folder/marker".into();
    fixture.produce(0, &values).await;
    let running = fixture.start();
    eventually("the last record is done", async || {
        fixture.seen().iter().any(|r| r.1 == 7).then_some(())
    })
    .await;
    eventually("one record is discarded", async || {
        (running.source.snapshot().records_discarded == 1).then_some(())
    })
    .await;
    running.drain().await;
    assert!(!fixture.seen().iter().any(|r| r.1 == 5));
    assert_eq!(fixture.committed(0).await, Some(8));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unavailable_broker_loses_no_records() {
    let kafka = PrivateKafka::start();
    let fixture = KafkaFixture::at(kafka.brokers(), 2).await;
    fixture.produce(0, &values(0..10)).await;
    let running = fixture.start();
    fixture.eventually_seen(10).await;
    kafka.stop();
    kafka.start_again();
    fixture.produce(0, &values(10..20)).await;
    fixture.produce(1, &values(20..30)).await;
    fixture.eventually_seen(30).await;
    let committed = async || (fixture.committed(0).await, fixture.committed(1).await);
    // a session that expires in the outage makes commits fail; they are repeated, but a drain does
    // not wait until the group has the member again
    eventually("every record is committed", async || {
        (committed().await == (Some(20), Some(10))).then_some(())
    })
    .await;
    running.drain().await;
    let mut seen: Vec<_> = fixture.seen().into_iter().map(|r| (r.0, r.1)).collect();
    seen.sort_unstable();
    seen.dedup();
    let expected: Vec<(i32, i64)> = (0..20)
        .map(|n| (0, n))
        .chain((0..10).map(|n| (1, n)))
        .collect();
    assert_eq!(seen, expected);
    assert_eq!(committed().await, (Some(20), Some(10)));
}
