//! Records that were deleted before they were read, recreated topics, and groups that assign
//! nothing to a member.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseRecord, Producer as _, ThreadedProducer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use sam_template::model::StartingPosition;
use sha2::{Digest as _, Sha256};
use testkit::eventually;
use usher::supervision::{ComponentRegistry, ComponentStatus};

use crate::kafka_fixture::{KafkaFixture, Running, random, values};

fn admin(fixture: &KafkaFixture) -> AdminClient<DefaultClientContext> {
    ClientConfig::new()
        .set("bootstrap.servers", &fixture.mapping.bootstrap_servers)
        .create()
        .unwrap()
}

/// Deletes the records before this offset of partition 0.
pub(crate) async fn delete_before(fixture: &KafkaFixture, offset: Offset) {
    let mut before = TopicPartitionList::new();
    before
        .add_partition_offset(&fixture.mapping.topics[0], 0, offset)
        .unwrap();
    admin(fixture)
        .delete_records(&before, &AdminOptions::new())
        .await
        .unwrap();
}

/// Deletes the topic and creates another one with the same name.
pub(crate) async fn create_again(fixture: &KafkaFixture, partitions: i32) {
    let admin = admin(fixture);
    let topic = fixture.mapping.topics[0].as_str();
    admin
        .delete_topics(&[topic], &AdminOptions::new())
        .await
        .unwrap()[0]
        .as_ref()
        .unwrap();
    eventually("it is created again", async || {
        let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
        admin
            .create_topics(&[new], &AdminOptions::new())
            .await
            .unwrap()[0]
            .is_ok()
            .then_some(())
    })
    .await;
}

async fn assigned(running: &Running) {
    eventually("it has its partition", async || {
        (running.source.snapshot().partitions.len() == 1).then_some(())
    })
    .await;
}

fn deleted(running: &Running) -> u64 {
    running.source.snapshot().records_deleted_unread
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_deleted_during_a_stop_are_reported() {
    let fixture = KafkaFixture::new(1).await;
    fixture.produce(0, &values(0..10)).await;
    let running = fixture.start();
    fixture.eventually_seen(10).await;
    running.drain().await;
    fixture.produce(0, &values(10..20)).await;
    delete_before(&fixture, Offset::Offset(15)).await;
    let running = fixture.start();
    let seen = fixture.eventually_seen(15).await;
    assert_eq!(deleted(&running), 5);
    running.drain().await;
    assert_eq!(seen[10].1, 15);
    // the whole log is deleted, and the group has committed its start
    delete_before(&fixture, Offset::Offset(20)).await;
    let running = fixture.start();
    assigned(&running).await;
    fixture.produce(0, &values(20..21)).await;
    fixture.eventually_seen(16).await;
    assert_eq!(deleted(&running), 0, "everything was read");
    running.drain().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_deleted_while_reading_are_named() {
    /// More than the host and librdkafka fetch (4 MiB, a request's answer) while the function has
    /// the first record: chunks of half a megabyte on their way to the driver, which holds the
    /// partition back at the first of them.
    const LARGE: usize = 150;
    let mut fixture = KafkaFixture::new(1).await;
    fixture.limits.buffer_bytes = 256 * 1024;
    let go_on = fixture.folder.path().join("go-on");
    let large = "x".repeat(200 * 1024);
    fixture
        .produce(0, &[format!("wait-for:{}", go_on.display())])
        .await;
    fixture.produce(0, &vec![large; LARGE]).await;
    let running = fixture.start();
    eventually("the function has the first record", async || {
        (running.source.snapshot().batches > 0).then_some(())
    })
    .await;
    // librdkafka stands still, and has reported where; had it fetched on, it would find out itself,
    // and the host say it when it goes on
    let mut held = 0;
    let mut since = Instant::now();
    while held == 0 || since.elapsed() < Duration::from_secs(6) {
        let now = running
            .source
            .snapshot()
            .partitions
            .iter()
            .map(|partition| partition.held)
            .sum::<usize>();
        if now != held {
            (held, since) = (now, Instant::now());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    delete_before(&fixture, Offset::End).await;
    eventually(
        "the alarm is raised while the partition is paused",
        async || (deleted(&running) > 0).then_some(()),
    )
    .await;
    std::fs::write(go_on, "").unwrap();
    fixture.produce(0, &["after".to_owned()]).await;
    let last = LARGE as i64 + 1;
    let seen = eventually("the last is seen", async || {
        let seen: BTreeSet<i64> = fixture.seen().iter().map(|seen| seen.1).collect();
        seen.contains(&last).then_some(seen)
    })
    .await;
    let lost = deleted(&running) as usize;
    running.drain().await;
    assert!(
        lost > 0,
        "all {} were fetched before the deletion",
        seen.len()
    );
    assert_eq!(
        lost + seen.len(),
        LARGE + 2,
        "each offset was processed or reported"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recreated_topic_is_read_from_its_start() {
    let mut fixture = KafkaFixture::new(1).await;
    fixture.mapping.start = StartingPosition::Latest;
    fixture.limits.state = Some(fixture.folder.path().to_owned());
    let running = fixture.start();
    assigned(&running).await;
    fixture.produce(0, &values(0..3)).await;
    fixture.eventually_seen(3).await;
    running.drain().await;
    // while the host is stopped
    create_again(&fixture, 1).await;
    fixture.produce(0, &values(3..5)).await;
    let running = fixture.start();
    let seen = fixture.eventually_seen(5).await;
    assert_eq!((seen[3].1, running.source.snapshot().logs_replaced), (0, 1));
    // while the host runs
    create_again(&fixture, 1).await;
    fixture.produce(0, &values(5..6)).await;
    eventually("the record of the new topic is processed", async || {
        fixture.seen().into_iter().find(|seen| seen.2 == "value 5")
    })
    .await;
    running.drain().await;
}

/// The new topic has more records than were read from the old one: the old position is within its
/// log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_longer_topic_created_again_loses_nothing() {
    let fixture = KafkaFixture::new(1).await;
    fixture.produce(0, &values(0..3)).await;
    let running = fixture.start();
    fixture.eventually_seen(3).await;
    create_again(&fixture, 1).await;
    fixture.produce(0, &values(10..30)).await;
    eventually("every record of the new topic is processed", async || {
        let seen: BTreeSet<String> = fixture.seen().into_iter().map(|seen| seen.2).collect();
        values(10..30)
            .iter()
            .all(|value| seen.contains(value))
            .then_some(())
    })
    .await;
    eventually("it is said", async || {
        (running.source.snapshot().logs_replaced > 0).then_some(())
    })
    .await;
    running.drain().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_that_is_gone_holds_no_other_up() {
    let mut fixture = KafkaFixture::new(3).await;
    let registry = ComponentRegistry::default();
    fixture.limits.parts = registry.clone();
    for partition in 0..3 {
        fixture.produce(partition, &values(0..3)).await;
    }
    let running = fixture.start();
    fixture.eventually_seen(9).await;
    create_again(&fixture, 2).await;
    for partition in 0..2 {
        fixture.produce(partition, &values(10..30)).await;
    }
    eventually("every record of the new topic is processed", async || {
        let new = fixture.seen().into_iter().filter(|seen| seen.2.len() == 8);
        let new: BTreeSet<(i32, String)> = new.map(|seen| (seen.0, seen.2)).collect();
        (new.len() == 40).then_some(())
    })
    .await;
    let restarts = part(&registry).restarts;
    assert_eq!(
        restarts, 1,
        "one consumer finds all positions of the new topic"
    );
    running.drain().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transaction_markers_are_no_lost_records() {
    let fixture = KafkaFixture::new(1).await;
    let topic = fixture.mapping.topics[0].clone();
    let producer: ThreadedProducer<rdkafka::producer::DefaultProducerContext> = ClientConfig::new()
        .set("bootstrap.servers", &fixture.mapping.bootstrap_servers)
        .set("transactional.id", &topic)
        .create()
        .unwrap();
    let patience = Duration::from_secs(30);
    tokio::task::spawn_blocking(move || {
        producer.init_transactions(patience).unwrap();
        for commits in [true, false] {
            producer.begin_transaction().unwrap();
            producer
                .send(
                    BaseRecord::<(), str>::to(&topic)
                        .partition(0)
                        .payload("value"),
                )
                .unwrap();
            producer.flush(patience).unwrap();
            let ended = if commits {
                producer.commit_transaction(patience)
            } else {
                producer.abort_transaction(patience)
            };
            ended.unwrap();
        }
    })
    .await
    .unwrap();
    let running = fixture.start();
    fixture.eventually_seen(1).await;
    // record, marker, aborted record, marker
    eventually("all four offsets are passed", async || {
        (fixture.committed(0).await == Some(4)).then_some(())
    })
    .await;
    running.drain().await;
    delete_before(&fixture, Offset::Offset(4)).await;
    let running = fixture.start();
    assigned(&running).await;
    assert_eq!(deleted(&running), 0);
    running.drain().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_topic_is_read_at_once() {
    let mut fixture = KafkaFixture::new(1).await;
    let running = fixture.start();
    assigned(&running).await;
    running.drain().await;
    fixture.mapping.topics = vec![fixture.another_topic(1).await];
    let running = fixture.start();
    fixture.produce(0, &values(0..3)).await;
    fixture.eventually_seen(3).await;
    running.drain().await;
}

/// The supervised part of the mapping.
fn part(registry: &ComponentRegistry) -> ComponentStatus {
    registry
        .status(Instant::now())
        .into_iter()
        .find(|part| part.part == "mapping EchoEvents")
        .unwrap()
}

/// The group's member of this host's name has other topics: the broker gives it back what it had,
/// and this host nothing. Of two other hosts with one partition, one rightly has nothing meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mapping_that_gets_nothing_joins_as_another() {
    let mut pair = KafkaFixture::new(1).await;
    let parts = [ComponentRegistry::default(), ComponentRegistry::default()];
    let hosts = parts.clone().map(|registry| {
        (pair.limits.parts, pair.limits.host_id) = (registry, random());
        pair.start()
    });
    let mut fixture = KafkaFixture::new(1).await;
    let registry = ComponentRegistry::default();
    fixture.limits.parts = registry.clone();
    let group = fixture.mapping.group.clone();
    let own = fixture.mapping.topics[0].clone();
    let name = format!(
        "{}\n{}\n{group}\n{own}",
        fixture.limits.host_id, fixture.mapping.id
    );
    let name = format!("usher-{}", hex::encode(&Sha256::digest(name)[..8]));
    let other = fixture.another_topic(1).await;
    let earlier: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &fixture.mapping.bootstrap_servers)
        .set("group.id", &group)
        .set("group.instance.id", &name)
        .set("partition.assignment.strategy", "cooperative-sticky")
        .set("session.timeout.ms", "10000")
        .create()
        .unwrap();
    tokio::task::spawn_blocking(move || {
        earlier.subscribe(&[&other]).unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        while earlier.assignment().unwrap().count() == 0 {
            assert!(
                Instant::now() < deadline,
                "the earlier member has its partition"
            );
            let _ = earlier.poll(Duration::from_millis(100));
        }
    })
    .await
    .unwrap();
    let running = fixture.start();
    fixture.produce(0, &values(0..3)).await;
    fixture.eventually_seen(3).await;
    let said = part(&registry).problem;
    running.drain().await;
    assert!(
        said.is_some_and(|why| why.contains("to no member")),
        "it says so"
    );
    let owned: usize = hosts
        .iter()
        .map(|host| host.source.snapshot().partitions.len())
        .sum();
    assert_eq!(
        (owned, parts.map(|registry| part(&registry).restarts)),
        (1, [0, 0]),
        "a host without partitions can be healthy"
    );
    for host in hosts {
        host.drain().await;
    }
}
