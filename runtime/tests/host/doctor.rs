//! `usher doctor` on a machine that lacks something.

use std::process::{Child, Command, Stdio};

use crate::operations_stage::Application;
use crate::support::eventually;
use crate::{kafka, sqs_stage};

/// A Redis of the test's own, which ends with it.
struct Redis(Child);

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_doctor_names_what_is_missing_and_its_remedy() {
    let application = Application::new();
    let well = application.said(&["doctor"]);
    assert!(well.contains("ok    servers answer") && well.contains("0 to mend"), "{well}");
    std::fs::remove_file(application.path().join("built/bootstrap")).unwrap();
    let toml = std::fs::read_to_string(application.path().join("usher.toml")).unwrap();
    let nowhere = kafka::free_address();
    std::fs::write(application.path().join("usher.toml"), toml.replace(&sqs_stage::endpoint(), &format!("http://{nowhere}")))
        .unwrap();
    let output = application.usher(&["doctor"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    for part in ["function Behave: there is no executable", &format!("SQS at http://{nowhere} does not answer"), "2 to mend"] {
        assert!(said.contains(part), "{part} is missing from {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_warns_of_a_redis_that_evicts() {
    let application = Application::new();
    let address = kafka::free_address();
    let template = std::fs::read_to_string(application.path().join("template.yaml")).unwrap();
    let variables = format!("Variables: {{LOCKS_URL: 'redis://:hush@{address}', RECORD_TO:");
    std::fs::write(application.path().join("template.yaml"), template.replace("Variables: {RECORD_TO:", &variables)).unwrap();
    let port = address.port().to_string();
    let mut server = Command::new("redis-server");
    server.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--maxmemory-policy", "allkeys-lru"]);
    server.args(["--requirepass", "hush", "--dir"]).arg(application.path());
    let _server = Redis(server.stdout(Stdio::null()).spawn().unwrap());
    let client = redis::Client::open(format!("redis://:hush@{address}")).unwrap();
    eventually("Redis answers", async || client.get_multiplexed_async_connection().await.ok().map(drop)).await;
    let said = application.said(&["doctor"]);
    let found = said.lines().find(|line| line.contains("LOCKS_URL")).unwrap_or_else(|| panic!("{said}"));
    assert!(found.starts_with("warn") && found.contains("may remove any key") && !found.contains("hush"), "{said}");
}
