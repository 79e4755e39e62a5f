//! `usher bridge` between a real topic and a real queue.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rdkafka::Offset;
use testkit::eventually;

use crate::kafka_lost::delete_before;
use crate::{kafka, sqs_stage};

fn bridge(stage: &kafka::Stage, queue: &str) -> Child {
    logging(stage, queue, Stdio::null())
}

fn logging(stage: &kafka::Stage, queue: &str, log: Stdio) -> Child {
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
            &sqs_stage::endpoint(),
        ])
        .args([
            "--servers",
            &stage.mapping.bootstrap_servers,
            "--topic",
            &stage.mapping.topics[0],
        ])
        .current_dir(stage.folder.path())
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
async fn every_record_reaches_a_fifo_queue_in_order_though_the_bridge_is_killed_in_between() {
    let stage = kafka::Stage::new(2).await;
    let queues = sqs_stage::Stage::fifo().await;
    let queue = queues.mapping.queue_name().to_owned();
    stage.produce(0, &kafka::values(0..40)).await;
    let first = bridge(&stage, &queue);
    eventually("some are there", async || {
        (queues.left().await.0 > 0).then_some(())
    })
    .await;
    end(first, Signal::SIGKILL);
    stage.produce(1, &kafka::values(40..60)).await;
    let second = bridge(&stage, &queue);
    // what was sent and not committed is sent again, and the queue knows it
    eventually("all are there, once", async || {
        (queues.left().await == (60, 0)).then_some(())
    })
    .await;
    assert!(
        end(second, Signal::SIGTERM).success(),
        "a shutdown is no failure"
    );
    let mut by_partition: BTreeMap<String, Vec<String>> = BTreeMap::new();
    eventually("they are read", async || {
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
        (&kafka::values(0..40), &kafka::values(40..60))
    );
    let third = bridge(&stage, &queue);
    stage.produce(0, &["last".to_owned()]).await;
    eventually("it goes on where it was", async || {
        (queues.left().await == (1, 0)).then_some(())
    })
    .await;
    assert!(end(third, Signal::SIGTERM).success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_deleted_before_they_were_copied_are_named() {
    let stage = kafka::Stage::new(1).await;
    let queues = sqs_stage::Stage::fifo().await;
    let queue = queues.mapping.queue_name().to_owned();
    stage.produce(0, &kafka::values(0..10)).await;
    let first = bridge(&stage, &queue);
    eventually("the first ten are there", async || {
        (queues.left().await.0 == 10).then_some(())
    })
    .await;
    assert!(end(first, Signal::SIGTERM).success());
    stage.produce(0, &kafka::values(10..20)).await;
    delete_before(&stage, Offset::Offset(15)).await;
    let path = stage.folder.path().join("bridge.log");
    let second = logging(&stage, &queue, std::fs::File::create(&path).unwrap().into());
    eventually("the last five are there", async || {
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
