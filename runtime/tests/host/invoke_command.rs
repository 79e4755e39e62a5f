//! `usher invoke` through the Invoke API of a running host, and without one.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::invoke_api_fixture::Host;
use crate::support::{function, project};

/// `usher invoke` for a project whose host keeps this state.
struct Project(TempDir);

impl Project {
    fn new() -> Self {
        let template = "Transform: AWS::Serverless-2016-10-31\nResources:\n  Echo:\n    Type: \
                        AWS::Serverless::Function\n    Properties: {Runtime: provided.al2023, \
                        CodeUri: built}\n";
        Self(project(template))
    }

    fn invoke(&self, state: &Path, event: &str, more: &[&str]) -> Output {
        let file = self.0.path().join("event.json");
        std::fs::write(&file, event).unwrap();
        let mut usher = Command::new(env!("CARGO_BIN_EXE_usher"));
        usher
            .args(["invoke", "Echo", "-e", "event.json", "--state"])
            .arg(state)
            .args(more)
            .current_dir(self.0.path());
        usher.output().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usher_invoke_uses_a_running_host() {
    let host = Host::start(function(&[("WHERE", "host")])).await;
    let project = Project::new();
    let state = host.state.clone();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let where_it_ran = |more: &[&str]| {
        let output = project.invoke(&state, r#"{"do": "environment"}"#, more);
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["WHERE"].clone()
    };
    assert_eq!(where_it_ran(&[]), "host");
    assert_eq!(where_it_ran(&["--alone"]), Value::Null);

    let printed = project.invoke(&state, r#"{"do": "echo", "text": "hello"}"#, &["--log"]);
    let log = text(&printed.stderr);
    assert!(
        log.contains("echo \"hello\"") && log.contains("REPORT RequestId"),
        "{log}"
    );
    let failed = project.invoke(&state, r#"{"do": "fail"}"#, &[]);
    assert_eq!(failed.status.code(), Some(1));
    assert!(
        text(&failed.stderr).contains("failure requested"),
        "{}",
        text(&failed.stderr)
    );
    let taken = project.invoke(&state, r#"{"do": "echo"}"#, &["--async"]);
    assert_eq!(
        (taken.status.code(), text(&taken.stdout).trim().len()),
        (Some(0), 36),
        "a request id: {}",
        text(&taken.stdout)
    );

    // what a host leaves that was killed
    let host_file = std::fs::read(state.join("host.json")).unwrap();
    host.stop().await;
    std::fs::write(state.join("host.json"), host_file).unwrap();
    assert_eq!(where_it_ran(&[]), Value::Null);
    let refused = project.invoke(&state, "{}", &["--async"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        text(&refused.stderr).contains("usher up"),
        "{}",
        text(&refused.stderr)
    );
}

#[test]
fn an_open_address_needs_a_token() {
    let project = Project::new();
    for (arguments, word) in [
        (["--listen", "0.0.0.0:0"], "--token TOKEN"),
        (["--token", "short"], "at least 16"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_usher"))
            .arg("up")
            .args(arguments)
            .current_dir(project.0.path())
            .output()
            .unwrap();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(word), "{told}");
    }
}
