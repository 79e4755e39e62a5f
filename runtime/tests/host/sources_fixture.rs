//! A host for one test: its status, health and metrics over HTTP, and the commands.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, ExitStatus, Output};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};
use serde_json::Value;
use tempfile::TempDir;
use testkit::eventually;
use testkit::net::free_address;
use testkit::process::KillOnDrop;

use crate::kafka_fixture::KafkaFixture;
use crate::support::project;

/// How long a broker may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A project and, once it is up, its host.
pub(crate) struct Host {
    pub(crate) folder: TempDir,
    pub(crate) control: SocketAddr,
    /// Where the Invoke API is served.
    invoke: SocketAddr,
    process: Option<KillOnDrop>,
}

impl Host {
    /// The function `Worker` with these events, at 10 spaces, and these further resources, at 2.
    /// `settings`: more of usher.toml.
    pub(crate) fn with(events: &str, resources: &str, settings: &str) -> Self {
        let folder = project("");
        let template = format!(
            "\
Transform: AWS::Serverless-2016-10-31
Resources:
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: provided.al2023
      CodeUri: built
      Environment: {{Variables: {{RECORD_TO: '{}'}}}}
      Events:
{events}
{resources}
",
            folder.path().join("seen").display()
        );
        Self::at(folder, &template, settings)
    }

    /// A host in this folder, which holds the echo function. `settings`: more of usher.toml.
    pub(crate) fn at(folder: TempDir, template: &str, settings: &str) -> Self {
        let control = free_address();
        let path = folder.path();
        std::fs::write(path.join("template.yaml"), template).unwrap();
        let settings = format!("control = '{control}'\n{settings}\n");
        std::fs::write(path.join("usher.toml"), settings).unwrap();
        Self {
            folder,
            control,
            invoke: free_address(),
            process: None,
        }
    }

    /// A host whose function reads the fixture's topic as `Worker.Orders`. `more`: properties of
    /// the event.
    pub(crate) fn of(fixture: &KafkaFixture, more: &[&str]) -> Self {
        let mut lines = vec![
            "        Orders:".to_owned(),
            "          Type: SelfManagedKafka".to_owned(),
            "          Properties:".to_owned(),
        ];
        let properties = [
            format!("Topics: [{}]", fixture.mapping.topics[0]),
            format!(
                "KafkaBootstrapServers: ['{}']",
                fixture.mapping.bootstrap_servers
            ),
            format!("ConsumerGroupId: {}", fixture.mapping.group),
            "StartingPosition: TRIM_HORIZON".to_owned(),
        ];
        let more = more.iter().map(|property| (*property).to_owned());
        lines.extend(
            properties
                .into_iter()
                .chain(more)
                .map(|property| format!("            {property}")),
        );
        Self::with(&lines.join("\n"), "", "")
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut usher = Command::new(env!("CARGO_BIN_EXE_usher"));
        usher
            .args(arguments)
            .current_dir(self.path())
            .env_remove("RUST_LOG");
        usher
    }

    pub(crate) fn usher(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Standard output of a command that must succeed.
    pub(crate) fn said(&self, arguments: &[&str]) -> String {
        let output = self.usher(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts the host and waits until it answers.
    pub(crate) async fn up(&mut self) {
        let log = std::fs::File::create(self.path().join("log")).unwrap();
        let mut usher = self.command(&["up", "--listen", &self.invoke.to_string()]);
        self.process = Some(KillOnDrop(
            usher
                .stdout(log.try_clone().unwrap())
                .stderr(log)
                .spawn()
                .unwrap(),
        ));
        eventually("the host answers", async || {
            reqwest::get(self.url("/health")).await.ok().map(drop)
        })
        .await;
    }

    /// What the host has printed since its start.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path().join("log")).unwrap_or_default()
    }

    /// Ends the host at once, as SIGKILL does.
    pub(crate) fn kill(&mut self) {
        drop(self.process.take());
    }

    /// Requests a drain.
    pub(crate) fn terminate(&self) {
        let process = self.process.as_ref().expect("it is up");
        let pid = Pid::from_raw(process.0.id().cast_signed());
        kill(pid, Signal::SIGTERM).unwrap();
    }

    /// How the host ended, once it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        let process = self.process.as_mut().expect("it was up");
        process.0.try_wait().unwrap()
    }

    /// Where a function of the host is invoked.
    pub(crate) fn function(&self, name: &str) -> String {
        let Self { invoke, .. } = self;
        format!("http://{invoke}/2015-03-31/functions/{name}/invocations")
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.control)
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        reqwest::get(self.url(path))
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    pub(crate) async fn metrics(&self) -> String {
        reqwest::get(self.url("/metrics"))
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
    }

    /// The status code of `/health`, and what it says.
    pub(crate) async fn health(&self) -> (u16, Value) {
        let answer = reqwest::get(self.url("/health")).await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// The value of a metric's sample.
    pub(crate) async fn metric(&self, sample: &str) -> Option<f64> {
        self.metrics()
            .await
            .lines()
            .find_map(|line| line.strip_prefix(sample)?.strip_prefix(' ')?.parse().ok())
    }

    /// The first source of this kind in the status (`mappings`, `queues`, `events`), once it is in
    /// this state.
    pub(crate) async fn eventually(&self, kind: &str, state: &str) -> Value {
        self.eventually_where(state, |status| status[kind][0].clone())
            .await
    }

    /// The source that `find` returns of the status, once it is in this state.
    pub(crate) async fn eventually_where(
        &self,
        state: &str,
        find: impl Fn(&Value) -> Value,
    ) -> Value {
        let deadline = std::time::Instant::now() + Duration::from_mins(2);
        loop {
            let source = find(&self.json("/_usher/status").await);
            if source["health"]["state"] == state {
                return source;
            }
            assert!(
                std::time::Instant::now() < deadline,
                "never {state}: {source:#}\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The same; and `/health` and the metrics agree that the source is unwell.
    pub(crate) async fn eventually_unwell(&self, kind: &str, state: &str) -> Value {
        let source = self.eventually(kind, state).await;
        let (status, health) = self.health().await;
        assert_eq!(status, 503, "{health}");
        let states: Vec<&Value> = health["problems"]
            .as_array()
            .unwrap()
            .iter()
            .map(|problem| &problem["state"])
            .collect();
        assert!(states.contains(&&Value::from(state)), "{health}");
        let (kind, name) = match kind {
            "mappings" => ("kafka", source["mapping"].as_str().unwrap()),
            "queues" => ("sqs", source["mapping"].as_str().unwrap()),
            _ => ("events", source["function"].as_str().unwrap()),
        };
        let sample =
            format!("usher_source_state{{kind=\"{kind}\",source=\"{name}\",state=\"{state}\"}}");
        assert_eq!(self.metric(&sample).await, Some(1.0), "{sample}");
        source
    }

    /// The source is well, and so is the host.
    pub(crate) async fn eventually_well(&self, kind: &str) -> Value {
        let source = self.eventually(kind, "ok").await;
        eventually("/health is well", async || {
            (self.health().await.0 == 200).then_some(())
        })
        .await;
        source
    }

    /// What the function recorded.
    pub(crate) fn seen(&self) -> String {
        std::fs::read_to_string(self.path().join("seen")).unwrap_or_default()
    }

    pub(crate) async fn eventually_seen(&self, text: &str) {
        eventually("the function saw it", async || {
            self.seen().contains(text).then_some(())
        })
        .await;
    }
}

/// A client that manages topics.
pub(crate) fn admin(fixture: &KafkaFixture) -> AdminClient<DefaultClientContext> {
    ClientConfig::new()
        .set("bootstrap.servers", &fixture.mapping.bootstrap_servers)
        .create()
        .unwrap()
}

pub(crate) async fn create_topic(fixture: &KafkaFixture, topic: &str) {
    let admin = admin(fixture);
    eventually("the topic is there", async || {
        let new = NewTopic::new(topic, 1, TopicReplication::Fixed(1));
        admin
            .create_topics(&[new], &AdminOptions::new())
            .await
            .ok()?
            .remove(0)
            .ok()
    })
    .await;
}

pub(crate) async fn delete_topic(fixture: &KafkaFixture, topic: &str) {
    admin(fixture)
        .delete_topics(&[topic], &AdminOptions::new())
        .await
        .unwrap()
        .remove(0)
        .unwrap();
}

/// A producer with a transaction open; its broker would abort it after ten minutes.
pub(crate) fn transaction(fixture: &KafkaFixture) -> FutureProducer {
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", &fixture.mapping.bootstrap_servers)
        .set("transactional.id", &fixture.mapping.topics[0])
        .set("transaction.timeout.ms", "600000")
        .create()
        .unwrap();
    tokio::task::block_in_place(|| producer.init_transactions(PATIENCE)).unwrap();
    producer.begin_transaction().unwrap();
    producer
}

/// Sends these values to partition 0 of the fixture's topic.
pub(crate) async fn send(producer: &FutureProducer, fixture: &KafkaFixture, values: &[&str]) {
    for value in values {
        let record: FutureRecord<'_, (), str> = FutureRecord::to(&fixture.mapping.topics[0])
            .partition(0)
            .payload(*value);
        producer.send(record, PATIENCE).await.unwrap();
    }
}
