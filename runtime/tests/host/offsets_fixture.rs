//! A project with one Kafka mapping, and `usher` commands in it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;
use testkit::net::free_address;
use testkit::process::KillOnDrop;

use crate::kafka_fixture::KafkaFixture;
use crate::support::{project, usher_up};

/// A project whose function reads the topic of the fixture.
pub(crate) struct OffsetsProject {
    pub(crate) folder: TempDir,
    pub(crate) control: SocketAddr,
}

impl OffsetsProject {
    /// `more`: further properties of the event.
    pub(crate) fn new(fixture: &KafkaFixture, more: &str) -> Self {
        let template = format!(
            "\
Transform: AWS::Serverless-2016-10-31
Resources:
  Echo:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: provided.al2023
      CodeUri: built
      Environment: {{Variables: {{RECORD_TO: '{}'}}}}
      Events:
        Records:
          Type: SelfManagedKafka
          Properties:
            Topics: [{}]
            KafkaBootstrapServers: ['{}']
            ConsumerGroupId: {}
            StartingPosition: TRIM_HORIZON
            BisectBatchOnFunctionError: true
            {more}
",
            fixture.folder.path().join("seen").display(),
            fixture.mapping.topics[0],
            fixture.mapping.bootstrap_servers,
            fixture.mapping.group,
        );
        let application = Self {
            folder: project(&template),
            control: free_address(),
        };
        let settings = format!("control = '{}'\n", application.control);
        std::fs::write(application.path().join("usher.toml"), settings).unwrap();
        application
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn up(&self) -> KillOnDrop {
        usher_up(self.path(), &["--listen", "127.0.0.1:0"])
    }

    pub(crate) fn usher(&self, arguments: &[&str]) -> Output {
        let mut usher = Command::new(env!("CARGO_BIN_EXE_usher"));
        usher
            .args(arguments)
            .current_dir(self.path())
            .env_remove("RUST_LOG")
            .output()
            .unwrap()
    }

    /// Output of a command that has to succeed.
    pub(crate) fn output_of(&self, arguments: &[&str]) -> String {
        let output = self.usher(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Error output of a command that has to fail.
    pub(crate) fn error_of(&self, arguments: &[&str]) -> String {
        let output = self.usher(arguments);
        assert!(!output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    }

    /// The status of a partition on the control port.
    pub(crate) async fn partition(&self, number: i64) -> Option<Value> {
        let url = format!("http://{}/_usher/status", self.control);
        let status: Value = reqwest::get(url).await.ok()?.json().await.ok()?;
        status["mappings"][0]["partitions"]
            .as_array()?
            .iter()
            .find(|one| one["partition"] == number)
            .cloned()
    }
}

/// How often the function processed this offset of partition 0.
pub(crate) fn times(fixture: &KafkaFixture, offset: i64) -> usize {
    fixture
        .seen()
        .iter()
        .filter(|seen| (seen.0, seen.1) == (0, offset))
        .count()
}
