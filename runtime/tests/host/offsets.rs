//! Positions of a group, and an operator's moves: with a running host, and without one.

use sam_template::model::KafkaMapping;
use serde_json::Value;
use testkit::eventually;
use usher::sources::kafka::positions;

use crate::kafka_fixture::{KafkaFixture, values};
use crate::offsets_fixture::{OffsetsProject, times};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_never_succeeds_is_skipped() {
    let fixture = KafkaFixture::new(1).await;
    let application = OffsetsProject::new(&fixture, "");
    fixture
        .produce(0, &["one", "always-fail", "three"].map(str::to_owned))
        .await;
    let host = application.up();
    eventually("the partition is blocked", async || {
        (fixture.committed(0).await == Some(1)).then_some(())
    })
    .await;
    let skip = |offset: &'static str| {
        [
            "offsets",
            "skip",
            "Echo.Records",
            "--partition",
            "0",
            "--offset",
            offset,
        ]
    };
    assert!(
        application
            .output_of(&skip("1"))
            .contains("nothing was changed")
    );
    assert!(
        application
            .error_of(&[&skip("0")[..], &["--apply"]].concat())
            .contains("already")
    );
    assert!(
        application
            .error_of(&[&skip("2")[..], &["--apply"]].concat())
            .contains("is 1, not 2")
    );
    assert!(
        application
            .error_of(&[&skip("9")[..], &["--apply"]].concat())
            .contains("ends at 3")
    );
    assert_eq!(
        (fixture.committed(0).await, times(&fixture, 2)),
        (Some(1), 0)
    );
    let said = application.output_of(&[&skip("1")[..], &["--apply"]].concat());
    assert!(
        said.contains("record 1") && said.contains("no destination"),
        "{said}"
    );
    eventually("the rest is done", async || {
        (fixture.committed(0).await == Some(3)).then_some(())
    })
    .await;
    assert!(times(&fixture, 2) > 0 && times(&fixture, 1) == 0);
    drop(host);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_skipped_record_goes_to_the_destination() {
    let fixture = KafkaFixture::new(1).await;
    let dead = fixture.another_topic(1).await;
    let destination =
        format!("DestinationConfig: {{OnFailure: {{Type: Kafka, Destination: 'kafka://{dead}'}}}}");
    let application = OffsetsProject::new(
        &fixture,
        &format!("{destination}\n            MaximumRetryAttempts: 10000"),
    );
    fixture
        .produce(0, &["always-fail", "two", "three"].map(str::to_owned))
        .await;
    let host = application.up();
    eventually("the record fails", async || {
        application
            .partition(0)
            .await
            .filter(|one| one["held"] != 0)
    })
    .await;
    let skip = |offset: &'static str| {
        [
            "offsets",
            "skip",
            "Echo.Records",
            "--partition",
            "0",
            "--offset",
            offset,
            "--apply",
        ]
    };
    let said = eventually(
        "the group has a position, and the record is in memory",
        async || {
            let output = application.usher(&skip("0"));
            output
                .status
                .success()
                .then(|| String::from_utf8(output.stdout).unwrap())
        },
    )
    .await;
    assert!(said.contains(&dead), "{said}");
    eventually("the rest is done", async || {
        (fixture.committed(0).await == Some(3)).then_some(())
    })
    .await;
    drop(host);
    // the host has ended; the command waits until its membership expires
    fixture.produce(0, &["four".to_owned()]).await;
    let said = application.output_of(&skip("3"));
    assert!(said.contains(&dead), "{said}");
    assert_eq!(fixture.committed(0).await, Some(4));
    let failure_records = fixture.eventually_in(&dead, 2).await;
    for (failure_record, offset) in failure_records.iter().zip(["0", "3"]) {
        let failure_record: Value =
            serde_json::from_slice(rdkafka::Message::payload(failure_record).unwrap()).unwrap();
        assert_eq!(
            failure_record["requestContext"]["condition"],
            "SkippedByOperator"
        );
        assert_eq!(
            failure_record["KafkaBatchInfo"]["recordInfo"]["offset"],
            offset
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_host_reads_from_elsewhere_on() {
    let fixture = KafkaFixture::new(2).await;
    let application = OffsetsProject::new(&fixture, "");
    fixture.produce(0, &values(0..20)).await;
    fixture.produce(1, &values(0..5)).await;
    let host = application.up();
    eventually("all is done", async || {
        (fixture.committed(0).await == Some(20) && fixture.committed(1).await == Some(5))
            .then_some(())
    })
    .await;
    let listed = application.output_of(&["offsets", "list", "Echo.Records"]);
    let row = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let of_first = listed
        .lines()
        .map(row)
        .find(|row| row.first().is_some_and(|name| name.ends_with("-0")))
        .unwrap();
    assert_eq!(
        of_first[1..],
        ["20", "0", "20", "0"],
        "committed, start, end, lag: {listed}"
    );
    let seek = [
        "offsets",
        "seek",
        "Echo.Records",
        "--partition",
        "0",
        "--to",
    ];
    assert!(
        application
            .output_of(&[&seek[..], &["15"]].concat())
            .contains("nothing was changed")
    );
    assert!(
        application
            .error_of(&[&seek[..], &["21", "--apply"]].concat())
            .contains("0 to 20")
    );
    assert!(
        application
            .error_of(&["offsets", "seek", "Echo.Records", "--to", "3", "--apply"])
            .contains("--partition")
    );
    assert!(
        application
            .error_of(&["offsets", "seek", "Echo.Record", "--to", "end"])
            .contains("Did you mean Echo.Records?")
    );
    assert!(
        application
            .output_of(&[&seek[..], &["15", "--apply"]].concat())
            .contains("1 of 1 partitions")
    );
    eventually("those are done again", async || {
        (15..20)
            .all(|offset| times(&fixture, offset) == 2)
            .then_some(())
    })
    .await;
    assert!(
        (0..15).all(|offset| times(&fixture, offset) == 1),
        "and no others"
    );
    eventually("and committed", async || {
        (fixture.committed(0).await == Some(20)).then_some(())
    })
    .await;
    assert_eq!(
        fixture.seen().iter().filter(|seen| seen.0 == 1).count(),
        5,
        "the other partition is unchanged"
    );
    fixture.produce(0, &values(20..23)).await;
    eventually("what follows is done once", async || {
        (times(&fixture, 22) == 1).then_some(())
    })
    .await;
    drop(host);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_of_another_group_moves_nothing() {
    let fixture = KafkaFixture::new(1).await;
    let application = OffsetsProject::new(&fixture, "");
    fixture.produce(0, &values(0..5)).await;
    let host = application.up();
    eventually("all is done", async || {
        (fixture.committed(0).await == Some(5)).then_some(())
    })
    .await;
    let other = KafkaMapping {
        group: format!("{}-other", fixture.mapping.group),
        ..fixture.mapping.clone()
    };
    let theirs = other.clone();
    let topic = fixture.mapping.topics[0].clone();
    tokio::task::spawn_blocking(move || positions::seek(&theirs, &topic, 0, 3))
        .await
        .unwrap()
        .unwrap();
    let file = application.path().join("template.yaml");
    let template = std::fs::read_to_string(&file).unwrap();
    std::fs::write(
        &file,
        template.replace(&fixture.mapping.group, &other.group),
    )
    .unwrap();
    let seek = [
        "offsets",
        "seek",
        "Echo.Records",
        "--partition",
        "0",
        "--to",
        "1",
        "--apply",
    ];
    let named = application.control.to_string();
    assert!(
        application
            .error_of(&[&seek[..], &["--control", &named]].concat())
            .contains("the running host reads")
    );
    assert!(application.output_of(&seek).contains("1 of 1"));
    let theirs = other.clone();
    let standing = tokio::task::spawn_blocking(move || positions::group_positions(&theirs))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        standing[0].committed,
        Some(1),
        "the group of the arguments was moved"
    );
    assert_eq!(
        (fixture.committed(0).await, times(&fixture, 1)),
        (Some(5), 1),
        "the host's was not"
    );
    drop(host);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_host_an_empty_group_is_moved() {
    let fixture = KafkaFixture::new(1).await;
    let application = OffsetsProject::new(&fixture, "");
    let seek = |to: &'static str| ["offsets", "seek", "Echo.Records", "--to", to, "--apply"];
    assert!(
        application
            .error_of(&seek("beginning"))
            .contains("never read")
    );
    fixture.produce(0, &values(0..4)).await;
    let running = fixture.start();
    eventually("all is done", async || {
        (fixture.committed(0).await == Some(4)).then_some(())
    })
    .await;
    assert!(
        application
            .error_of(&seek("beginning"))
            .contains("has 1 members"),
        "another host reads with the group"
    );
    running.drain().await;
    assert!(application.output_of(&seek("beginning")).contains("1 of 1"));
    assert_eq!(fixture.committed(0).await, Some(0));
    assert!(application.output_of(&seek("end")).contains("1 of 1"));
    assert_eq!(fixture.committed(0).await, Some(4));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_partition_waits_alone() {
    let fixture = KafkaFixture::new(2).await;
    let application = OffsetsProject::new(&fixture, "");
    let host = application.up();
    eventually("the host has both partitions", async || {
        application.partition(1).await
    })
    .await;
    application.output_of(&["pause", "Echo.Records", "--partition", "1"]);
    assert!(
        application
            .output_of(&["settings"])
            .contains("paused-partitions: none -> 1")
    );
    for partition in [1, 0] {
        fixture.produce(partition, &values(0..5)).await;
    }
    eventually(
        "the paused partition has its records in memory",
        async || {
            application
                .partition(1)
                .await
                .filter(|one| one["held"] == 5 && one["paused"] == true)
        },
    )
    .await;
    eventually("the other is done", async || {
        (fixture.committed(0).await == Some(5)).then_some(())
    })
    .await;
    assert!(fixture.seen().iter().all(|seen| seen.0 == 0));
    assert!(
        application
            .error_of(&["pause", "Echo.Records", "--partition", "x"])
            .contains("such as 0,3")
    );
    application.output_of(&["resume", "Echo.Records", "--partition", "1"]);
    eventually("it goes on", async || {
        (fixture.committed(1).await == Some(5)).then_some(())
    })
    .await;
    drop(host);
}
