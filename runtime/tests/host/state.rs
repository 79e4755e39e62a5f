//! The state folder: one host at a time, and an identity of its own in consumer groups.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;
use testkit::eventually;
use testkit::net::free_address;
use testkit::process::KillOnDrop;

use crate::kafka_fixture::KafkaFixture;
use crate::support::{project, usher_up};

/// A project that reads the topic of a fixture.
fn reader(fixture: &KafkaFixture) -> TempDir {
    project(&format!(
        "Transform: AWS::Serverless-2016-10-31\nResources:\n  Echo:\n    Type: \
         AWS::Serverless::Function\n    Properties:\n      Runtime: provided.al2023\n      \
         CodeUri: built\n      Environment: {{Variables: {{RECORD_TO: '{}'}}}}\n      \
         Events:\n        Records:\n          Type: SelfManagedKafka\n          \
         Properties:\n            Topics: [{}]\n            KafkaBootstrapServers: \
         ['{}']\n            ConsumerGroupId: {}\n",
        fixture.folder.path().join("seen").display(),
        fixture.mapping.topics[0],
        fixture.mapping.bootstrap_servers,
        fixture.mapping.group,
    ))
}

struct Host {
    process: KillOnDrop,
    status: String,
}

impl Host {
    fn start(project: &TempDir, arguments: &[&str]) -> Self {
        let control = free_address().to_string();
        let process = usher_up(
            project.path(),
            &[&["--control", &control], arguments].concat(),
        );
        Self {
            process,
            status: format!("http://{control}/_usher/status"),
        }
    }

    /// The partitions that the host owns; `None`: it does not answer.
    async fn owns(&self) -> Option<BTreeSet<i64>> {
        let status: Value = reqwest::get(&self.status).await.ok()?.json().await.ok()?;
        Some(
            status["mappings"][0]["partitions"]
                .as_array()?
                .iter()
                .filter_map(|one| one["partition"].as_i64())
                .collect(),
        )
    }

    fn runs(&mut self) -> bool {
        self.process.0.try_wait().unwrap().is_none()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_folders_are_two_members_of_a_group() {
    let fixture = KafkaFixture::new(2).await;
    let project = reader(&fixture);
    let mut first = Host::start(&project, &["--state", "one"]);
    let mut second = Host::start(&project, &["--state", "two"]);
    // the broker fences a member when another one of its identity joins, which ends its share of the partitions
    eventually("each owns one partition", async || {
        let one = first.owns().await?;
        let other = second.owns().await?;
        (one.len() == 1 && other.len() == 1 && one.is_disjoint(&other)).then_some(())
    })
    .await;
    assert!(first.runs() && second.runs());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_host_does_not_disturb_the_first() {
    let fixture = KafkaFixture::new(2).await;
    let project = reader(&fixture);
    let mut first = Host::start(&project, &[]);
    eventually("the first owns all", async || {
        first.owns().await.filter(|owned| owned.len() == 2)
    })
    .await;
    // by another path to the same folder, and with ports of its own
    let link = project.path().join("link");
    std::os::unix::fs::symlink(project.path().join(".aws-sam"), &link).unwrap();
    let mut second = Command::new(env!("CARGO_BIN_EXE_usher"));
    second.args(["up", "--listen", "127.0.0.1:0", "--state", "link/usher"]);
    let refused = second.current_dir(project.path()).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(
        said.contains(&format!(
            "another usher runs this project (process {})",
            first.process.0.id()
        )),
        "{said}"
    );
    assert!(first.runs());
    assert_eq!(first.owns().await.map(|owned| owned.len()), Some(2));
}
