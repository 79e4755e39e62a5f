//! Accepted events across restarts of the host.

use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::eventually;
use testkit::net::free_address;

use crate::support::add_function;

/// A batch of one message, which `echo_function` records.
pub(crate) fn message(body: &str) -> Value {
    let attributes = json!({ "ApproximateReceiveCount": "1" });
    json!({ "Records": [{ "messageId": "m", "body": body, "attributes": attributes }] })
}

/// `usher up` with one function of concurrency 1.
struct Host {
    folder: TempDir,
    invoke: String,
}

impl Host {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let template = format!(
            "Transform: AWS::Serverless-2016-10-31\nResources:\n  Echo:\n    \
             Type: AWS::Serverless::Function\n    Properties:\n      \
             Runtime: provided.al2023\n      CodeUri: built\n      Timeout: 60\n      \
             ReservedConcurrentExecutions: 1\n      \
             Environment: {{Variables: {{RECORD_TO: '{}'}}}}\n",
            folder.path().join("seen").display()
        );
        std::fs::write(folder.path().join("template.yaml"), template).unwrap();
        add_function(folder.path());
        Self {
            folder,
            invoke: free_address().to_string(),
        }
    }

    fn start(&self) -> Child {
        let mut usher = Command::new(env!("CARGO_BIN_EXE_usher"));
        usher
            .args(["up", "--listen", &self.invoke])
            .current_dir(self.folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    }

    async fn send(&self, event: &Value) -> Option<u16> {
        let url = format!(
            "http://{}/2015-03-31/functions/Echo/invocations",
            self.invoke
        );
        let request = reqwest::Client::new()
            .post(url)
            .header("X-Amz-Invocation-Type", "Event")
            .body(event.to_string());
        Some(request.send().await.ok()?.status().as_u16())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_host_on_one_state_is_refused() {
    let host = Host::new();
    let mut first = host.start();
    eventually("the first host answers", async || {
        host.send(&message("x")).await
    })
    .await;
    let mut second = Command::new(env!("CARGO_BIN_EXE_usher"));
    let refused = second
        .args(["up", "--listen", "127.0.0.1:0"])
        .current_dir(host.folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{told}");
    assert!(
        told.contains("another usher runs this project") && told.contains("--state"),
        "{told}"
    );
    first.kill().unwrap();
    first.wait().unwrap();
}
