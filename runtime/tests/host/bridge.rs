//! `usher bridge` between a real topic and a real queue.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rdkafka::Offset;
use testkit::eventually;

use crate::kafka_lost::delete_before;
use crate::{kafka_fixture, sqs_fixture};

fn bridge(fixture: &kafka_fixture::KafkaFixture, queue: &str) -> Child {
    logging(fixture, queue, Stdio::null())
}

fn logging(fixture: &kafka_fixture::KafkaFixture, queue: &str, log: Stdio) -> Child {
    Command::new(env!("CARGO_BIN_EXE_usher"))
        .args([
            "bridge",
            "--from",
            "kafka",
            "--to",
            "sqs",
            "--queue",
            queue,
            "--sqs-endpoint",
            &sqs_fixture::endpoint(),
        ])
        .args([
            "--servers",
            &fixture.mapping.bootstrap_servers,
            "--topic",
            &fixture.mapping.topics[0],
        ])
        .current_dir(fixture.folder.path())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

fn end(mut bridge: Child, signal: Signal) -> std::process::ExitStatus {
    kill(Pid::from_raw(bridge.id() as i32), signal).unwrap();
    bridge.wait().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_bridge_copies_every_record_in_order() {
    let fixture = kafka_fixture::KafkaFixture::new(2).await;
    let queues = sqs_fixture::SqsFixture::fifo().await;
    let queue = queues.mapping.queue_name().to_owned();
    fixture.produce(0, &kafka_fixture::values(0..40)).await;
    let first = bridge(&fixture, &queue);
    eventually("some records are copied", async || {
        (queues.left().await.0 > 0).then_some(())
    })
    .await;
    end(first, Signal::SIGKILL);
    fixture.produce(1, &kafka_fixture::values(40..60)).await;
    let second = bridge(&fixture, &queue);
    // uncommitted records are sent again, and the queue deduplicates them
    eventually("every record is copied once", async || {
        (queues.left().await == (60, 0)).then_some(())
    })
    .await;
    assert!(
        end(second, Signal::SIGTERM).success(),
        "a shutdown is a success"
    );
    let mut by_partition: BTreeMap<String, Vec<String>> = BTreeMap::new();
    eventually("the queue is read", async || {
        for message in queues.receive(&queue, 0).await {
            let id = message
                .message_attributes()
                .and_then(|all| all.get("record"))
                .and_then(|value| value.string_value());
            let (partition, _) = id.unwrap().rsplit_once('-').unwrap();
            by_partition
                .entry(partition.to_owned())
                .or_default()
                .push(message.body().unwrap().to_owned());
            queues.delete(&message).await;
        }
        (by_partition.values().map(Vec::len).sum::<usize>() == 60).then_some(())
    })
    .await;
    let all: Vec<&Vec<String>> = by_partition.values().collect();
    assert_eq!(
        (all[0], all[1]),
        (
            &kafka_fixture::values(0..40),
            &kafka_fixture::values(40..60)
        )
    );
    let third = bridge(&fixture, &queue);
    fixture.produce(0, &["last".to_owned()]).await;
    eventually("the bridge continues at its position", async || {
        (queues.left().await == (1, 0)).then_some(())
    })
    .await;
    assert!(end(third, Signal::SIGTERM).success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_deleted_before_the_copy_are_reported() {
    let fixture = kafka_fixture::KafkaFixture::new(1).await;
    let queues = sqs_fixture::SqsFixture::fifo().await;
    let queue = queues.mapping.queue_name().to_owned();
    fixture.produce(0, &kafka_fixture::values(0..10)).await;
    let first = bridge(&fixture, &queue);
    eventually("the first ten records are copied", async || {
        (queues.left().await.0 == 10).then_some(())
    })
    .await;
    assert!(end(first, Signal::SIGTERM).success());
    fixture.produce(0, &kafka_fixture::values(10..20)).await;
    delete_before(&fixture, Offset::Offset(15)).await;
    let path = fixture.folder.path().join("bridge.log");
    let second = logging(
        &fixture,
        &queue,
        std::fs::File::create(&path).unwrap().into(),
    );
    eventually("the last five records are copied", async || {
        (queues.left().await.0 == 15).then_some(())
    })
    .await;
    assert!(end(second, Signal::SIGTERM).success());
    let log = std::fs::read_to_string(path).unwrap();
    assert!(
        log.contains("offsets 10 to 14") && log.matches("offsets_deleted_unread").count() == 1,
        "{log}"
    );
}
