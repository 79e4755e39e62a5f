//! The program `usher` with an application for one test.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::eventually;
use testkit::net::free_address;

use crate::kafka_fixture::random;
use crate::sqs_fixture::{client, endpoint};
use crate::support::add_function;

/// The function fails with this as its message: it must be shown as text, and run nowhere.
pub(crate) const HOSTILE: &str = "<script>document.title=1</script><img src=x onerror=alert(1)>";
const FAIL: &str =
    r#"{"do": "fail", "message": "<script>document.title=1</script><img src=x onerror=alert(1)>"}"#;
/// The function prints this.
const METRIC: &str = concat!(
    r#"{"_aws":{"CloudWatchMetrics":[{"Namespace":"Shop","Dimensions":[["Env"]],"#,
    r#""Metrics":[{"Name":"Sold"}]}]},"Env":"test","Sold":2}"#
);

/// A function, a queue that it reads, and the queue's dead letters.
pub(crate) struct Application {
    pub(crate) folder: TempDir,
    pub(crate) control: SocketAddr,
    pub(crate) queue: String,
    host: Option<Child>,
}

impl Application {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let queue = format!("host-{}", random());
        let control = free_address();
        let seen = folder.path().join("seen");
        let template = format!(
            "\
Transform: AWS::Serverless-2016-10-31
Resources:
  Dead: {{Type: AWS::SQS::Queue, Properties: {{QueueName: {queue}-dead}}}}
  Work:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: {queue}
      VisibilityTimeout: 3
      RedrivePolicy: {{deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 1}}
  Echo:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: provided.al2023
      CodeUri: built
      Environment: {{Variables: {{RECORD_TO: {}}}}}
      Events:
        Jobs:
          Type: SQS
          Properties: {{Queue: !GetAtt Work.Arn, FunctionResponseTypes: [ReportBatchItemFailures]}}
        Fail: {{Type: ScheduleV2, Properties: {{ScheduleExpression: rate(1 minute), Input: '{FAIL}'}}}}
        Print: {{Type: ScheduleV2, Properties: {{ScheduleExpression: rate(1 minute), Input: '{}'}}}}
",
            seen.display(),
            json!({ "do": "print", "line": METRIC })
        );
        std::fs::write(folder.path().join("template.yaml"), template).unwrap();
        add_function(folder.path());
        let application = Self {
            folder,
            control,
            queue,
            host: None,
        };
        application.settings("");
        application
    }

    /// Writes usher.toml, with this below what every test needs.
    pub(crate) fn settings(&self, more: &str) {
        let text = format!(
            "control = '{}'\n[schedules]\n'Echo.Fail' = 'rate(1 second)'\n\
             'Echo.Print' = 'rate(1 second)'\n[endpoints]\nsqs = '{}'\n{more}\n",
            self.control,
            endpoint()
        );
        std::fs::write(self.folder.path().join("usher.toml"), text).unwrap();
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_usher"));
        command
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .env_remove("RUST_LOG");
        command
    }

    pub(crate) fn usher(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().unwrap()
    }

    /// Has the running host invoke the function with this event.
    pub(crate) fn invoke(&self, event: &Value) -> Output {
        self.invoke_with(event, &[])
    }

    /// The same, with further arguments.
    pub(crate) fn invoke_with(&self, event: &Value, arguments: &[&str]) -> Output {
        std::fs::write(self.path().join("event.json"), event.to_string()).unwrap();
        self.usher(&[&["invoke", "Echo", "-e", "event.json"], arguments].concat())
    }

    /// What the host printed so far, to either output.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path().join("log")).unwrap_or_default()
    }

    /// Ends the host at once.
    pub(crate) fn kill(&mut self) {
        let mut host = self.host.take().unwrap();
        host.kill().unwrap();
        host.wait().unwrap();
    }

    /// Standard output of a command that must succeed.
    pub(crate) fn said(&self, arguments: &[&str]) -> String {
        let output = self.usher(arguments);
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.control)
    }

    /// Starts the host and waits until it answers.
    pub(crate) async fn up(&mut self) {
        let log = std::fs::File::create(self.path().join("log")).unwrap();
        let host = self
            .command()
            .arg("up")
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.host = Some(host);
        eventually("the host answers", async || {
            reqwest::get(self.url("/health")).await.ok().map(drop)
        })
        .await;
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
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

    /// A change over HTTP, with these headers on top of its own.
    pub(crate) async fn change(
        &self,
        headers: &[(&'static str, &str)],
        change: &Value,
    ) -> (u16, Value) {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect();
        let request = reqwest::Client::new()
            .post(self.url("/_usher/settings"))
            .headers(headers)
            .json(change);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    pub(crate) async fn send(&self, queue: &str, body: &str) {
        let url = format!("{}/000000000000/{queue}", endpoint());
        client(&endpoint())
            .send_message()
            .queue_url(url)
            .message_body(body)
            .send()
            .await
            .unwrap();
    }

    /// What the function recorded.
    pub(crate) fn seen(&self) -> String {
        std::fs::read_to_string(self.path().join("seen")).unwrap_or_default()
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        if let Some(mut host) = self.host.take() {
            let pid = nix::unistd::Pid::from_raw(host.id() as i32);
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM);
            let _ = host.wait();
        }
    }
}
