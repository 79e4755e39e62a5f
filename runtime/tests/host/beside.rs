//! Commands beside a running host refuse arguments that the host cannot apply.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use testkit::eventually;
use testkit::net::free_address;
use testkit::process::KillOnDrop;

use crate::kafka_fixture::random;
use crate::sqs_fixture::endpoint;
use crate::support::{project, usher_up};

const TEMPLATE: &str = "\
Transform: AWS::Serverless-2016-10-31
Parameters:
  Stage: {Type: String, Default: template}
Resources:
  Echo:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: provided.al2023
      CodeUri: built
      Environment: {Variables: {STAGE: !Ref Stage, EXTRA: template}}
";

fn usher(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_usher"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("RUST_LOG")
        .output()
        .unwrap()
}

/// A running host of this project, once it is found.
async fn host(folder: &Path, arguments: &[&str]) -> KillOnDrop {
    let host = usher_up(folder, &[&["--listen", "127.0.0.1:0"], arguments].concat());
    let file = folder.join(".aws-sam/usher/host.json");
    eventually("the host is found", async || file.exists().then_some(())).await;
    host
}

/// The environment in which the function ran, of a command that must succeed.
fn environment(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invoke_refuses_values_the_host_lacks() {
    let folder = project(TEMPLATE);
    std::fs::write(folder.path().join("event.json"), r#"{"do": "environment"}"#).unwrap();
    std::fs::write(
        folder.path().join("same.json"),
        r#"{"Echo": {"EXTRA": "template"}}"#,
    )
    .unwrap();
    std::fs::write(
        folder.path().join("other.json"),
        r#"{"Echo": {"EXTRA": "file"}}"#,
    )
    .unwrap();
    std::fs::write(
        folder.path().join("other.yaml"),
        TEMPLATE.replace("Default: template", "Default: file"),
    )
    .unwrap();
    std::fs::write(
        folder.path().join("same.yaml"),
        TEMPLATE.replace("Default: template", "Default: host"),
    )
    .unwrap();
    let host = host(folder.path(), &["--parameter-overrides", "Stage=host"]).await;
    let invoke = |more: &[&str]| {
        usher(
            folder.path(),
            &[&["invoke", "Echo", "-e", "event.json"], more].concat(),
        )
    };

    assert_eq!(environment(&invoke(&[]))["STAGE"], "host");
    let host_file =
        std::fs::read_to_string(folder.path().join(".aws-sam/usher/host.json")).unwrap();
    assert!(
        host_file.contains("variable STAGE") && !host_file.contains("template\""),
        "{host_file}"
    );
    let said = ["--parameter-overrides", "Stage=host"];
    assert_eq!(
        environment(&invoke(&said))["STAGE"],
        "host",
        "equal is honoured"
    );
    assert_eq!(
        environment(&invoke(&[&said[..], &["--env-vars", "same.json"]].concat()))["EXTRA"],
        "template"
    );
    assert_eq!(
        environment(&invoke(&["--template", "same.yaml"]))["STAGE"],
        "host"
    );
    for (more, what) in [
        (
            &["--parameter-overrides", "Stage=other"][..],
            "variable STAGE",
        ),
        (
            &["--parameter-overrides", "Stage=template"],
            "variable STAGE",
        ),
        (&["--template", "other.yaml"], "variable STAGE"),
        (
            &[
                "--parameter-overrides",
                "Stage=host",
                "--env-vars",
                "other.json",
            ],
            "variable EXTRA",
        ),
        (
            &[
                "--parameter-overrides",
                "Stage=host",
                "--sqs-endpoint",
                "http://127.0.0.1:9",
            ],
            "variable AWS_ENDPOINT_URL_SQS",
        ),
    ] {
        let refused = invoke(more);
        let message = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(2), "{more:?}: {message}");
        assert!(
            message.contains(what) && message.contains("--alone"),
            "{more:?}: {message}"
        );
        assert!(refused.stdout.is_empty(), "{more:?}: nothing ran");
    }
    assert_eq!(
        environment(&invoke(&[
            "--parameter-overrides",
            "Stage=other",
            "--alone"
        ]))["STAGE"],
        "other"
    );

    // the file of a host that was killed decides nothing
    drop(host);
    assert_eq!(
        environment(&invoke(&["--parameter-overrides", "Stage=other"]))["STAGE"],
        "other"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replays_refuse_a_host_with_other_values() {
    let dead = format!("beside-{}-dead", random());
    let template = TEMPLATE.replace(
        "      CodeUri: built\n",
        "      CodeUri: built\n      DeadLetterQueue: {Type: SQS, TargetArn: !GetAtt Dead.Arn}\n",
    ) + &format!(
        "  Dead: {{Type: 'AWS::SQS::Queue', Properties: {{QueueName: {dead}}}}}\n"
    );
    let folder = project(&template);
    let settings = format!(
        "control = '{}'\n[endpoints]\nsqs = '{}'\n",
        free_address(),
        endpoint()
    );
    std::fs::write(folder.path().join("usher.toml"), settings).unwrap();
    let _host = host(folder.path(), &["--parameter-overrides", "Stage=host"]).await;
    let replay = |stage: &str| {
        usher(
            folder.path(),
            &["parked", "replay", &dead, "--parameter-overrides", stage],
        )
    };
    let same = replay("Stage=host");
    assert!(
        same.status.success(),
        "{}",
        String::from_utf8_lossy(&same.stderr)
    );
    let other = replay("Stage=other");
    let message = String::from_utf8_lossy(&other.stderr).into_owned();
    assert_eq!(other.status.code(), Some(2), "{message}");
    assert!(
        message.contains("Echo otherwise") && message.contains("variable STAGE"),
        "{message}"
    );
}
