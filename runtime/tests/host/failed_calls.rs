//! A call over HTTP that failed leaves one line in the terminal.

use std::process::{Command, Stdio};
use testkit::eventually;
use testkit::process::KillOnDrop;

use crate::support::project;

const TEMPLATE: &str = "\
Transform: AWS::Serverless-2016-10-31
Resources:
  Crash:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: provided.al2023
      CodeUri: built
      Environment: {Variables: {ALWAYS: exit}}
      Events: {Call: {Type: HttpApi, Properties: {Path: '/crash/{id}', Method: get}}}
  Hang:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: provided.al2023
      CodeUri: built
      Timeout: 1
      Environment: {Variables: {ALWAYS: hang}}
      Events: {Call: {Type: HttpApi, Properties: {Path: /hang, Method: get}}}
  Closed:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: provided.al2023
      CodeUri: built
      ReservedConcurrentExecutions: 0
      Events: {Call: {Type: HttpApi, Properties: {Path: /closed, Method: get}}}
  Fine:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: provided.al2023
      CodeUri: built
      Events: {Call: {Type: HttpApi, Properties: {Path: /fine, Method: get}}}
";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_call_leaves_one_line() {
    let folder = project(TEMPLATE);
    let path = folder.path().join("log");
    let log = std::fs::File::create(&path).unwrap();
    let mut usher = Command::new(env!("CARGO_BIN_EXE_usher"));
    usher
        .args(["up", "--http", "127.0.0.1:0", "--listen", "127.0.0.1:0"])
        .args(["--log", "lambda"])
        .current_dir(folder.path());
    let host = KillOnDrop(
        usher
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap(),
    );
    // the port is the host's own choice: one that was free before may be another test's by now
    let address = eventually("the API listens", async || {
        let log = std::fs::read_to_string(&path).ok()?;
        log.split_once("listening on http://")?
            .1
            .split_once(' ')
            .map(|(address, _)| address.to_owned())
    })
    .await;
    let call = async |path: &str| {
        Some(
            reqwest::get(format!("http://{address}{path}"))
                .await
                .ok()?
                .status()
                .as_u16(),
        )
    };
    assert_eq!(
        eventually("the API answers", async || call("/fine").await).await,
        200
    );
    let statuses = [
        ("/crash/1", 500),
        ("/crash/2", 500),
        ("/hang", 500),
        ("/closed", 503),
        ("/nowhere", 404),
        ("/fine", 200),
    ];
    for (path, status) in statuses {
        assert_eq!(call(path).await, Some(status), "{path}");
    }
    drop(host);
    let log = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("a call failed"))
        .collect();
    let wanted = [
        (
            "Crash",
            "GET /crash/{id}",
            "500",
            "Runtime.ExitError",
            "exit status 7",
        ),
        (
            "Hang",
            "GET /hang",
            "500",
            "Sandbox.Timedout",
            "timed out after 1.00 seconds",
        ),
        (
            "Closed",
            "GET /closed",
            "503",
            "Throttled",
            "ReservedConcurrentExecutions is 0",
        ),
    ];
    assert_eq!(
        lines.len(),
        wanted.len(),
        "a failure that repeats is counted: {log}"
    );
    for (line, (function, route, status, kind, message)) in lines.iter().zip(wanted) {
        for part in [
            format!("function=\"{function}\""),
            format!("route=\"{route}\""),
            format!("status={status} "),
            format!("error_type=\"{kind}\""),
            "duration_ms=".to_owned(),
            "request_id=\"".to_owned(),
            message.to_owned(),
        ] {
            assert!(line.contains(&part), "{part} is missing from {line}");
        }
    }
    assert!(!log.contains("/nowhere"), "{log}");
}
