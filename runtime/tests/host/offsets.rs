//! Where a group stands, and moves by an operator's hand: with a running host, and without one.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;
use testkit::eventually;
use testkit::net::free_address;
use testkit::process::KillOnDrop;
use usher::kafka::positions;
use usher::model::KafkaMapping;

use crate::kafka::{Stage, values};
use crate::support::{project, usher_up};

/// A project whose function reads the stage's topic, as `usher` has it.
struct Application {
    folder: TempDir,
    control: SocketAddr,
}

impl Application {
    /// `more`: properties of the event.
    fn of(stage: &Stage, more: &str) -> Self {
        let template = format!(
            "Transform: AWS::Serverless-2016-10-31\n\
             Resources:\n  \
               Echo:\n    Type: AWS::Serverless::Function\n    Properties:\n      Runtime: provided.al2023\n      CodeUri: built\n      \
                 Environment: {{Variables: {{RECORD_TO: '{}'}}}}\n      \
                 Events:\n        Records:\n          Type: SelfManagedKafka\n          Properties:\n            \
                   Topics: [{}]\n            KafkaBootstrapServers: ['{}']\n            ConsumerGroupId: {}\n            \
                   StartingPosition: TRIM_HORIZON\n            BisectBatchOnFunctionError: true\n            {more}\n",
            stage.folder.path().join("seen").display(),
            stage.mapping.topics[0],
            stage.mapping.bootstrap_servers,
            stage.mapping.group,
        );
        let application = Self {
            folder: project(&template),
            control: free_address(),
        };
        let settings = format!("control = '{}'\n", application.control);
        std::fs::write(application.path().join("usher.toml"), settings).unwrap();
        application
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn up(&self) -> KillOnDrop {
        usher_up(self.path(), &["--listen", "127.0.0.1:0"])
    }

    fn usher(&self, arguments: &[&str]) -> Output {
        let mut usher = Command::new(env!("CARGO_BIN_EXE_usher"));
        usher
            .args(arguments)
            .current_dir(self.path())
            .env_remove("RUST_LOG")
            .output()
            .unwrap()
    }

    /// Standard output of a command that must succeed.
    fn said(&self, arguments: &[&str]) -> String {
        let output = self.usher(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What a command that must be refused says.
    fn refused(&self, arguments: &[&str]) -> String {
        let output = self.usher(arguments);
        assert!(!output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    }

    /// The state of a partition as the host shows it.
    async fn partition(&self, number: i64) -> Option<Value> {
        let url = format!("http://{}/_usher/status", self.control);
        let status: Value = reqwest::get(url).await.ok()?.json().await.ok()?;
        status["mappings"][0]["partitions"]
            .as_array()?
            .iter()
            .find(|one| one["partition"] == number)
            .cloned()
    }
}

/// How often the function did each offset of partition 0.
fn times(stage: &Stage, offset: i64) -> usize {
    stage
        .seen()
        .iter()
        .filter(|seen| (seen.0, seen.1) == (0, offset))
        .count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_never_succeeds_is_skipped() {
    let stage = Stage::new(1).await;
    let application = Application::of(&stage, "");
    stage
        .produce(0, &["one", "always-fail", "three"].map(str::to_owned))
        .await;
    let host = application.up();
    eventually("the partition stands still", async || {
        (stage.committed(0).await == Some(1)).then_some(())
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
    assert!(application.said(&skip("1")).contains("nothing was changed"));
    assert!(
        application
            .refused(&[&skip("0")[..], &["--apply"]].concat())
            .contains("already")
    );
    assert!(
        application
            .refused(&[&skip("2")[..], &["--apply"]].concat())
            .contains("is 1, not 2")
    );
    assert!(
        application
            .refused(&[&skip("9")[..], &["--apply"]].concat())
            .contains("ends at 3")
    );
    assert_eq!((stage.committed(0).await, times(&stage, 2)), (Some(1), 0));
    let said = application.said(&[&skip("1")[..], &["--apply"]].concat());
    assert!(
        said.contains("record 1") && said.contains("no destination"),
        "{said}"
    );
    eventually("the rest is done", async || {
        (stage.committed(0).await == Some(3)).then_some(())
    })
    .await;
    assert!(times(&stage, 2) > 0 && times(&stage, 1) == 0);
    drop(host);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_skipped_record_goes_to_the_destination() {
    let stage = Stage::new(1).await;
    let dead = stage.another_topic(1).await;
    let destination =
        format!("DestinationConfig: {{OnFailure: {{Type: Kafka, Destination: 'kafka://{dead}'}}}}");
    let application = Application::of(
        &stage,
        &format!("{destination}\n            MaximumRetryAttempts: 10000"),
    );
    stage
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
        "the group has a beginning, and the record is held",
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
        (stage.committed(0).await == Some(3)).then_some(())
    })
    .await;
    drop(host);
    // the host is gone; its place in the group is waited for
    stage.produce(0, &["four".to_owned()]).await;
    let said = application.said(&skip("3"));
    assert!(said.contains(&dead), "{said}");
    assert_eq!(stage.committed(0).await, Some(4));
    let letters = stage.eventually_in(&dead, 2).await;
    for (letter, offset) in letters.iter().zip(["0", "3"]) {
        let letter: Value =
            serde_json::from_slice(rdkafka::Message::payload(letter).unwrap()).unwrap();
        assert_eq!(letter["requestContext"]["condition"], "SkippedByOperator");
        assert_eq!(letter["KafkaBatchInfo"]["recordInfo"]["offset"], offset);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_host_reads_from_elsewhere_on() {
    let stage = Stage::new(2).await;
    let application = Application::of(&stage, "");
    stage.produce(0, &values(0..20)).await;
    stage.produce(1, &values(0..5)).await;
    let host = application.up();
    eventually("all is done", async || {
        (stage.committed(0).await == Some(20) && stage.committed(1).await == Some(5)).then_some(())
    })
    .await;
    let listed = application.said(&["offsets", "list", "Echo.Records"]);
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
            .said(&[&seek[..], &["15"]].concat())
            .contains("nothing was changed")
    );
    assert!(
        application
            .refused(&[&seek[..], &["21", "--apply"]].concat())
            .contains("0 to 20")
    );
    assert!(
        application
            .refused(&["offsets", "seek", "Echo.Records", "--to", "3", "--apply"])
            .contains("--partition")
    );
    assert!(
        application
            .refused(&["offsets", "seek", "Echo.Record", "--to", "end"])
            .contains("Did you mean Echo.Records?")
    );
    assert!(
        application
            .said(&[&seek[..], &["15", "--apply"]].concat())
            .contains("1 of 1 partitions")
    );
    eventually("those are done again", async || {
        (15..20)
            .all(|offset| times(&stage, offset) == 2)
            .then_some(())
    })
    .await;
    assert!(
        (0..15).all(|offset| times(&stage, offset) == 1),
        "and no others"
    );
    eventually("and committed", async || {
        (stage.committed(0).await == Some(20)).then_some(())
    })
    .await;
    assert_eq!(
        stage.seen().iter().filter(|seen| seen.0 == 1).count(),
        5,
        "the other partition is left alone"
    );
    stage.produce(0, &values(20..23)).await;
    eventually("what follows is done once", async || {
        (times(&stage, 22) == 1).then_some(())
    })
    .await;
    drop(host);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_of_another_group_moves_nothing() {
    let stage = Stage::new(1).await;
    let application = Application::of(&stage, "");
    stage.produce(0, &values(0..5)).await;
    let host = application.up();
    eventually("all is done", async || {
        (stage.committed(0).await == Some(5)).then_some(())
    })
    .await;
    let other = KafkaMapping {
        group: format!("{}-other", stage.mapping.group),
        ..stage.mapping.clone()
    };
    let theirs = other.clone();
    let topic = stage.mapping.topics[0].clone();
    tokio::task::spawn_blocking(move || positions::seek(&theirs, &topic, 0, 3))
        .await
        .unwrap()
        .unwrap();
    let file = application.path().join("template.yaml");
    let template = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, template.replace(&stage.mapping.group, &other.group)).unwrap();
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
            .refused(&[&seek[..], &["--control", &named]].concat())
            .contains("the running host reads")
    );
    assert!(application.said(&seek).contains("1 of 1"));
    let theirs = other.clone();
    let standing = tokio::task::spawn_blocking(move || positions::standings(&theirs))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        standing[0].committed,
        Some(1),
        "the group that the arguments name was moved"
    );
    assert_eq!(
        (stage.committed(0).await, times(&stage, 1)),
        (Some(5), 1),
        "the host's was not"
    );
    drop(host);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_host_an_empty_group_is_moved() {
    let stage = Stage::new(1).await;
    let application = Application::of(&stage, "");
    let seek = |to: &'static str| ["offsets", "seek", "Echo.Records", "--to", to, "--apply"];
    assert!(
        application
            .refused(&seek("beginning"))
            .contains("never read")
    );
    stage.produce(0, &values(0..4)).await;
    let running = stage.start();
    eventually("all is done", async || {
        (stage.committed(0).await == Some(4)).then_some(())
    })
    .await;
    assert!(
        application
            .refused(&seek("beginning"))
            .contains("has 1 members"),
        "another host reads with the group"
    );
    running.drain().await;
    assert!(application.said(&seek("beginning")).contains("1 of 1"));
    assert_eq!(stage.committed(0).await, Some(0));
    assert!(application.said(&seek("end")).contains("1 of 1"));
    assert_eq!(stage.committed(0).await, Some(4));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_partition_waits_alone() {
    let stage = Stage::new(2).await;
    let application = Application::of(&stage, "");
    let host = application.up();
    eventually("the host has both partitions", async || {
        application.partition(1).await
    })
    .await;
    application.said(&["pause", "Echo.Records", "--partition", "1"]);
    assert!(
        application
            .said(&["settings"])
            .contains("paused-partitions: none -> 1")
    );
    for partition in [1, 0] {
        stage.produce(partition, &values(0..5)).await;
    }
    eventually("the paused partition holds its records", async || {
        application
            .partition(1)
            .await
            .filter(|one| one["held"] == 5 && one["paused"] == true)
    })
    .await;
    eventually("the other is done", async || {
        (stage.committed(0).await == Some(5)).then_some(())
    })
    .await;
    assert!(stage.seen().iter().all(|seen| seen.0 == 0));
    assert!(
        application
            .refused(&["pause", "Echo.Records", "--partition", "x"])
            .contains("such as 0,3")
    );
    application.said(&["resume", "Echo.Records", "--partition", "1"]);
    eventually("it goes on", async || {
        (stage.committed(1).await == Some(5)).then_some(())
    })
    .await;
    drop(host);
}
