//! Queues of a whole host: kills, missing servers and outages.

use std::path::{Path, PathBuf};
use std::process::Command;

use sam_template::model::Application;
use serde_json::Value;
use tempfile::TempDir;
use testkit::eventually;
use testkit::net::free_address;
use tokio::sync::oneshot;
use usher::up;

use crate::kafka_fixture::{random, recording};
use crate::sqs_fixture::{SqsFixture, arn, endpoint, queue};
use crate::support::{self, add_function, application, claimed, executables, options};

/// A project whose function reads the queue of a fixture.
pub(crate) fn project(fixture: &SqsFixture) -> TempDir {
    let template = format!(
        "Transform: AWS::Serverless-2016-10-31\n\
         Resources:\n  \
           Messages:\n    Type: AWS::SQS::Queue\n    Properties: {{QueueName: {}, \
           VisibilityTimeout: 3}}\n  \
           Echo:\n    Type: AWS::Serverless::Function\n    Properties:\n      Runtime: \
           provided.al2023\n      CodeUri: built\n      \
             Environment: {{Variables: {{RECORD_TO: '{}', QUEUE_URL: !Ref Messages}}}}\n      \
             Events:\n        Messages: {{Type: SQS, Properties: {{Queue: !GetAtt Messages.Arn, \
             FunctionResponseTypes: [ReportBatchItemFailures]}}}}\n",
        fixture.mapping.queue_name(),
        fixture.folder.path().join("seen").display(),
    );
    support::project(&template)
}

/// An SQS server of one test, which it may stop.
pub(crate) struct OwnServer {
    data: TempDir,
    port: u16,
    limits: &'static str,
}

impl OwnServer {
    fn start() -> Self {
        Self::with("relaxed")
    }

    /// A server that refuses the characters that the service refuses.
    pub(crate) fn strict() -> Self {
        Self::with("strict")
    }

    fn with(limits: &'static str) -> Self {
        let server = Self {
            data: tempfile::tempdir().unwrap(),
            port: free_address().port(),
            limits,
        };
        server.script("start");
        server
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn script(&self, command: &str) {
        let script: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/servers");
        let output = Command::new(script)
            .args([command, "sqs"])
            .env("USHER_DATA", self.data.path())
            .env("SQS_PORT", self.port.to_string())
            .env("SQS_LIMITS", self.limits)
            .env_remove("USHER_SERVERS")
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "scripts/servers {command} sqs: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        self.script("stop");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_the_server_loses_nothing() {
    let server = OwnServer::start();
    let fixture = SqsFixture::with(server.endpoint(), "", None).await;
    let running = fixture.start();
    fixture.send(&["one", "two"]).await;
    fixture.eventually_done(2).await;
    fixture.eventually_empty().await;
    server.script("stop");
    eventually("the status says so", async || {
        running.source.snapshot().problem
    })
    .await;
    server.script("start");
    fixture.send(&["three", "four"]).await;
    fixture.eventually_done(4).await;
    fixture.eventually_empty().await;
    assert_eq!(running.source.snapshot().problem, None);
    running.drain().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn up_creates_queues_and_reports_progress() {
    let fixture = SqsFixture::new().await;
    let name = format!("host-{}", random());
    let mut app = application(recording(&fixture.folder));
    app.queues.push(queue(&name, None));
    app.sqs.push(sam_template::model::SqsMapping {
        queue_arn: arn(&name),
        ..fixture.mapping.clone()
    });
    app.sqs_endpoint = Some(endpoint());
    let control = free_address();
    let (stop, stopped) = oneshot::channel::<()>();
    let host = tokio::spawn(up::run(app, up_options(Some(control)), async move {
        drop(stopped.await);
    }));
    eventually("the queue is made", async || {
        fixture.sqs.exists(&name).await.ok().filter(|there| *there)
    })
    .await;
    fixture
        .client
        .send_message()
        .queue_url(fixture.url(&name))
        .message_body("hello")
        .send()
        .await
        .unwrap();
    let url = format!("http://{control}/_usher/status");
    let status: Value = eventually("the status shows that all is done", async || {
        let status: Value = reqwest::get(&url).await.ok()?.json().await.ok()?;
        (status["queues"][0]["deleted"] == 1).then_some(status)
    })
    .await;
    assert_eq!(status["queues"][0]["queue"], name.as_str(), "{status}");
    assert_eq!(status["queues"][0]["failed"], 0, "{status}");
    stop.send(()).unwrap();
    host.await.unwrap().unwrap();
    assert_eq!(fixture.seen().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_server_or_queue_is_named() {
    let fixture = SqsFixture::new().await;
    let start = async |change: &dyn Fn(&mut Application)| {
        let mut app = application(recording(&fixture.folder));
        app.sqs.push(fixture.mapping.clone());
        app.sqs_endpoint = Some(endpoint());
        change(&mut app);
        up::run(app, up_options(None), std::future::pending())
            .await
            .unwrap_err()
            .to_string()
    };
    let nowhere = format!("http://{}", free_address());
    let said = start(&|app| app.sqs_endpoint = Some(nowhere.clone())).await;
    assert!(
        said.contains(&format!("SQS at {nowhere} does not answer")) && said.contains("[endpoints]"),
        "{said}"
    );
    let said = start(&|app| {
        app.sqs[0].queue_arn = arn("never-created");
        app.sqs[0].function = "Unknown".into();
        app.queues.push(queue(
            "host-never",
            Some(sam_template::model::Redrive {
                target: arn("nor-this"),
                max_receives: 2,
            }),
        ));
    })
    .await;
    for part in [
        "no queue never-created",
        "no queue nor-this",
        "dead-letter queue of host-never",
        "no function Unknown",
    ] {
        assert!(said.contains(part), "{part} is missing from {said}");
    }
    assert_eq!(
        fixture.sqs.exists("host-never").await,
        Ok(false),
        "nothing is made in part"
    );
}

#[test]
fn invoke_needs_no_server() {
    let folder = tempfile::tempdir().unwrap();
    let template = "Transform: AWS::Serverless-2016-10-31\n\
         Resources:\n  \
           Messages: {Type: AWS::SQS::Queue}\n  \
           Echo:\n    Type: AWS::Serverless::Function\n    Properties:\n      Runtime: \
           provided.al2023\n      CodeUri: built\n      \
             Environment: {Variables: {QUEUE_URL: !Ref Messages}}\n";
    std::fs::write(folder.path().join("template.yaml"), template).unwrap();
    std::fs::write(
        folder.path().join("usher.toml"),
        "stack = 's'\n[endpoints]\nsqs = 'http://127.0.0.1:1'\n",
    )
    .unwrap();
    std::fs::write(folder.path().join("event.json"), r#"{"do": "environment"}"#).unwrap();
    add_function(folder.path());
    let usher = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_usher"))
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .unwrap()
    };
    let output = usher(&["invoke", "Echo", "-e", "event.json"]);
    let environment: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert_eq!(
        environment["QUEUE_URL"],
        "http://127.0.0.1:1/000000000000/s-Messages"
    );
    assert_eq!(environment["AWS_ENDPOINT_URL_SQS"], "http://127.0.0.1:1");
    assert_eq!(environment["AWS_ACCESS_KEY_ID"], "local");
    let shown = String::from_utf8(usher(&["template"]).stdout).unwrap();
    for part in [
        "SQS at http://127.0.0.1:1",
        "queue Messages (s-Messages)",
        "VisibilityTimeout 30",
    ] {
        assert!(shown.contains(part), "{part} is missing from {shown}");
    }
}

fn up_options(control: Option<std::net::SocketAddr>) -> up::HostOptions {
    up::HostOptions {
        executables: executables(),
        pool: options().0,
        control,
        http: [].into(),
        keys: None,
        settings: None,
        log: None,
        schedules: true,
        aws_timing: false,
        state: claimed(),
        invoke: up::InvokeAt::Given(([127, 0, 0, 1], 0).into()),
        token: None,
    }
}
