//! A host that is short of open files, memory or processes keeps running and loses no event.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;
use sam_template::model::Function;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::eventually;
use testkit::net::free_address;
use testkit::process::KillOnDrop;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use usher::instances::{Pool, PoolOptions};
use usher::invocation::{Invoke as _, Rejected, Request};

use crate::support::{answer, application, echo_function, function, project};

const TEMPLATE: &str = "\
Transform: AWS::Serverless-2016-10-31
Resources:
  Echo:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: provided.al2023
      CodeUri: built
      Timeout: 60
      EventInvokeConfig: {MaximumRetryAttempts: 0}
      Events:
        Open: {Type: HttpApi, Properties: {Path: /, Method: post}}
";

/// `usher up` under a limit of open files.
struct Host {
    process: KillOnDrop,
    _project: TempDir,
    control: SocketAddr,
    http: SocketAddr,
    invoke: SocketAddr,
}

impl Host {
    /// `limit`: arguments of the shell's ulimit.
    async fn start(limit: &str) -> Self {
        let project = project(TEMPLATE);
        let control = free_address();
        let http = free_address();
        let invoke = free_address();
        let mut shell = Command::new("sh");
        shell.args([
            "-c",
            &format!("ulimit {limit}; exec \"$0\" \"$@\""),
            env!("CARGO_BIN_EXE_usher"),
            "up",
        ]);
        shell.args([
            "--control",
            &control.to_string(),
            "--http",
            &http.to_string(),
            "--listen",
            &invoke.to_string(),
        ]);
        shell
            .current_dir(project.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let host = Self {
            process: KillOnDrop(shell.spawn().unwrap()),
            _project: project,
            control,
            http,
            invoke,
        };
        eventually("the host serves", async || host.status().await).await;
        host
    }

    async fn status(&self) -> Option<Value> {
        reqwest::get(format!("http://{}/_usher/status", self.control))
            .await
            .ok()?
            .json()
            .await
            .ok()
    }

    /// One request to the HTTP API, over a connection of its own.
    async fn post(&self) -> Option<StatusCode> {
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(10))
            .build()
            .ok()?;
        Some(
            client
                .post(format!("http://{}/", self.http))
                .body("hello")
                .send()
                .await
                .ok()?
                .status(),
        )
    }

    /// Sends an asynchronous event.
    async fn send(&self, event: &Value) -> StatusCode {
        let url = format!(
            "http://{}/2015-03-31/functions/Echo/invocations",
            self.invoke
        );
        let request = reqwest::Client::new()
            .post(url)
            .header("X-Amz-Invocation-Type", "Event")
            .body(event.to_string());
        request.send().await.unwrap().status()
    }

    /// Waits until so many events have run, none of which failed or was lost.
    async fn until_run(&self, events: u64) {
        let status = eventually("all events have ended", async || {
            let status = self.status().await?;
            let open = ["waiting", "running", "delivering"]
                .iter()
                .map(|fixture| status["events"][0][fixture].as_u64())
                .sum::<Option<u64>>();
            (open? == 0 && status["functions"][0]["invocations"].as_u64()? >= events)
                .then_some(status)
        })
        .await;
        assert_eq!(
            (
                &status["functions"][0]["errors"],
                &status["events"][0]["lost"]
            ),
            (&json!(0), &json!(0)),
            "{status}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_connections_never_stop_the_host() {
    let mut host = Host::start("-n 256").await;
    let mut idle = Vec::new();
    for n in 0..150 {
        for port in [host.control, host.http, host.invoke] {
            let mut stream = TcpStream::connect(port).await.unwrap();
            // every other one has begun a request
            let begun: &[u8] = if n % 2 == 0 { b"" } else { b"POST / HTT" };
            let _ = stream.write_all(begun).await;
            idle.push(stream);
        }
    }
    assert_eq!(host.post().await, Some(StatusCode::OK));
    for _ in 0..3 {
        assert_eq!(
            host.send(&json!({ "do": "echo" })).await,
            StatusCode::ACCEPTED
        );
    }
    host.until_run(4).await;
    let metrics = reqwest::get(format!("http://{}/metrics", host.control))
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    let value = |name: &str| {
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap_or_else(|| panic!("{name}: {metrics}"));
        line.trim().parse::<u64>().unwrap()
    };
    for ports in ["API", "control"] {
        let labels = format!("{{ports=\"{ports}\"}}");
        assert!(
            value(&format!("usher_connections{labels}"))
                <= value(&format!("usher_connections_limit{labels}"))
        );
        assert!(value(&format!("usher_connections_closed_total{labels}")) > 0);
    }
    assert!(host.process.0.try_wait().unwrap().is_none());
    drop(idle);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_without_open_files_loses_no_event() {
    let host = Host::start("-n 64").await;
    for _ in 0..24 {
        assert_eq!(
            host.send(&json!({ "do": "sleep", "ms": 400 })).await,
            StatusCode::ACCEPTED
        );
    }
    host.until_run(24).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn stalled_uploads_take_bounded_memory() {
    let host = Host::start("-n 4096").await;
    let head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10485760\r\n\r\n";
    let part = Arc::new(vec![b'x'; 10_000_000]);
    let uploads = (0..60).map(|_| {
        let address = host.http;
        let part = part.clone();
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(head).await.unwrap();
            // the host may close the connection meanwhile
            let _ = stream.write_all(&part).await;
            stream
        })
    });
    let stalled = futures::future::join_all(uploads).await;
    assert_eq!(host.post().await, Some(StatusCode::OK));
    let status = host.status().await.unwrap();
    let memory = status["memory_bytes"].as_u64().unwrap();
    assert!(
        memory < 300_000_000,
        "{memory} bytes for {} stalled uploads: {}",
        stalled.len(),
        status["connections"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_keep_the_hosts_original_limit() {
    let host = Host::start("-Sn 500").await;
    assert_eq!(host.post().await, Some(StatusCode::OK));
    let status = host.status().await.unwrap();
    let limits = |pid: &Value| std::fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let soft = |limits: String| {
        let line = limits
            .lines()
            .find_map(|line| line.strip_prefix("Max open files"))
            .map(str::to_owned);
        line.and_then(|line| {
            line.split_whitespace()
                .next()
                .map(|soft| soft.parse::<u64>().unwrap())
        })
        .unwrap()
    };
    assert_eq!(
        soft(limits(&status["functions"][0]["instances"][0]["pid"])),
        500
    );
    assert!(soft(limits(&status["pid"])) > 500);
}

/// Two functions with a limit of one process.
fn pool_of_one_process() -> Arc<Pool> {
    let mut app = application(function(&[]));
    app.functions.insert(
        "Other".into(),
        Function {
            id: "Other".into(),
            ..function(&[])
        },
    );
    let executables = ["Echo", "Other"].map(|id| (id.to_owned(), echo_function()));
    Pool::new(
        &app,
        &executables.into(),
        &PoolOptions {
            processes: 1,
            drain: Duration::ZERO,
            ..PoolOptions::default()
        },
    )
}

fn event(function: &str, event: &Value) -> Request {
    Request::new(function, event.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_process_makes_room_for_another_function() {
    let pool = pool_of_one_process();
    for function in ["Echo", "Other", "Echo"] {
        let response = pool
            .invoke(
                event(function, &json!({ "do": "echo", "text": function })),
                true,
            )
            .await
            .unwrap();
        assert_eq!(answer(&response)["event"]["text"], function);
    }
    let processes: usize = pool
        .stats()
        .functions
        .iter()
        .map(|function| function.instances.len())
        .sum();
    assert_eq!(processes, 1);
    pool.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_process_an_event_is_rejected() {
    let pool = pool_of_one_process();
    let hanging = tokio::spawn({
        let pool = pool.clone();
        async move {
            pool.invoke(event("Echo", &json!({ "do": "hang" })), true)
                .await
        }
    });
    eventually("it is at work", async || {
        pool.stats()
            .functions
            .iter()
            .any(|function| {
                function
                    .instances
                    .iter()
                    .any(|one| !one.in_flight.is_empty())
            })
            .then_some(())
    })
    .await;
    let refused = pool
        .invoke(event("Other", &json!({ "do": "echo" })), true)
        .await
        .unwrap_err();
    assert!(
        matches!(&refused, Rejected::NoCapacity { function, .. } if function == "Other"),
        "{refused}"
    );
    let other = pool
        .stats()
        .functions
        .into_iter()
        .find(|function| function.function == "Other")
        .unwrap();
    assert_eq!(
        (other.errors, other.throttles, other.instances.len()),
        (0, 1, 0)
    );
    hanging.abort();
    pool.shutdown().await;
}

/// The kernel refuses to run a file that is being written (ETXTBSY): a shortage, not a function error.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shortage_at_the_start_is_no_function_error() {
    let folder = tempfile::tempdir().unwrap();
    let executable = folder.path().join("bootstrap");
    std::fs::copy(echo_function(), &executable).unwrap();
    std::fs::set_permissions(&executable, std::fs::Permissions::from_mode(0o755)).unwrap();
    let writing = std::fs::File::options()
        .append(true)
        .open(&executable)
        .unwrap();
    let pool = Pool::new(
        &application(function(&[])),
        &[("Echo".to_owned(), executable)].into(),
        &PoolOptions::default(),
    );
    let refused = pool
        .invoke(event("Echo", &json!({ "do": "echo" })), true)
        .await
        .unwrap_err();
    assert!(matches!(refused, Rejected::NoCapacity { .. }), "{refused}");
    drop(writing);
    eventually("the file can be run", async || {
        pool.invoke(event("Echo", &json!({ "do": "echo" })), true)
            .await
            .ok()
    })
    .await;
    pool.shutdown().await;

    // what is wrong with the file itself stays the function's own error
    let nowhere = Path::new("/nowhere/bootstrap").to_owned();
    let pool = Pool::new(
        &application(function(&[])),
        &[("Echo".to_owned(), nowhere)].into(),
        &PoolOptions::default(),
    );
    let failed = pool
        .invoke(event("Echo", &json!({ "do": "echo" })), true)
        .await
        .unwrap();
    assert!(
        crate::support::error(&failed).0 == "Runtime.InvalidEntrypoint",
        "{failed:?}"
    );
}
