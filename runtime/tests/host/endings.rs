//! Signals and closed input that end a host: it drains and exits with success.

use std::process::{Child, Command, ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use testkit::eventually;
use testkit::net::free_address;
use testkit::process::KillOnDrop;

use crate::support::project;

const TEMPLATE: &str = "\
Transform: AWS::Serverless-2016-10-31
Resources:
  Echo:
    Type: AWS::Serverless::Function
    Properties: {Runtime: provided.al2023, CodeUri: built}
";

/// A host that serves, with a pipe for its standard input. The log of its functions is in the file
/// `log` of the project.
async fn serving(project: &TempDir, arguments: &[&str]) -> KillOnDrop {
    let control = free_address().to_string();
    let log = std::fs::File::create(project.path().join("log")).unwrap();
    // a test run under nohup ignores SIGHUP, and its children would, too
    let mut usher = Command::new("env");
    usher
        .args([
            "--default-signal=HUP",
            env!("CARGO_BIN_EXE_usher"),
            "up",
            "--control",
            &control,
            "--listen",
            "127.0.0.1:0",
        ])
        .args(arguments)
        .current_dir(project.path());
    let host = KillOnDrop(usher.stdin(Stdio::piped()).stdout(log).spawn().unwrap());
    eventually("it serves", async || {
        reqwest::get(format!("http://{control}/health/live"))
            .await
            .ok()
            .map(drop)
    })
    .await;
    host
}

async fn end(host: &mut Child) -> ExitStatus {
    eventually("it ends", async || host.try_wait().unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_terminal_drains_the_host() {
    let project = project(TEMPLATE);
    for signal in [Signal::SIGHUP, Signal::SIGTERM] {
        let mut host = serving(&project, &[]).await;
        kill(Pid::from_raw(host.0.id() as i32), signal).unwrap();
        assert!(end(&mut host.0).await.success(), "{signal}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closed_input_drains_a_host_with_the_option() {
    let project = project(TEMPLATE);
    let mut host = serving(&project, &["--until-stdin-closes"]).await;
    drop(host.0.stdin.take());
    assert!(end(&mut host.0).await.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_host_writes_every_log_line() {
    let project = project(TEMPLATE);
    let mut host = serving(&project, &["--log", "lambda"]).await;
    let log = || std::fs::read_to_string(project.path().join("log")).unwrap();
    std::fs::write(
        project.path().join("event"),
        r#"{"do": "sleep", "ms": 300}"#,
    )
    .unwrap();
    let invoke = Command::new(env!("CARGO_BIN_EXE_usher"))
        .args(["invoke", "Echo", "-e", "event"])
        .current_dir(project.path())
        .stdout(Stdio::null())
        .spawn();
    let _invoke = KillOnDrop(invoke.unwrap());
    eventually("the invocation has started", async || {
        log().contains("START RequestId").then_some(())
    })
    .await;
    kill(Pid::from_raw(host.0.id() as i32), Signal::SIGTERM).unwrap();
    assert!(end(&mut host.0).await.success());
    assert!(log().contains("REPORT RequestId"), "{}", log());
}
