//! An example application under `usher up`.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use testkit::net::free_address;

use crate::sqs_fixture::endpoint;

/// A running example, with its own template and settings. Names, folders and ports are parameters.
pub(crate) struct Example {
    pub(crate) host: Child,
    pub(crate) control: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) log: Arc<Mutex<String>>,
}

impl Example {
    /// Starts `usher up` in the example's folder, which builds it, and waits for the status.
    pub(crate) async fn up(name: &str, parameters: &[String], more: &[&str]) -> Self {
        let endpoint = endpoint();
        let more = [&["--sqs-endpoint", endpoint.as_str()], more].concat();
        Self::start(name, parameters, &more).await
    }

    /// As [`Self::up`], without an SQS server.
    pub(crate) async fn start(name: &str, parameters: &[String], more: &[&str]) -> Self {
        let control = free_address();
        let http = free_address();
        let mut host = Command::new(env!("CARGO_BIN_EXE_usher"))
            .args([
                "up",
                "--control",
                &control.to_string(),
                "--http",
                &http.to_string(),
            ])
            .args(more)
            .arg("--parameter-overrides")
            .args(parameters)
            .current_dir(folder(name))
            .env_remove("RUST_LOG")
            .env_remove("AWS_ENDPOINT_URL_SQS")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::default();
        collect(host.stdout.take().unwrap(), &log);
        collect(host.stderr.take().unwrap(), &log);
        let mut example = Self {
            host,
            control,
            http,
            log,
        };
        // no deadline: the first build may take minutes
        while reqwest::get(format!("http://{control}/_usher/status"))
            .await
            .is_err()
        {
            assert!(
                example.host.try_wait().unwrap().is_none(),
                "{name} does not start:\n{}",
                example.log()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        example
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub(crate) async fn status(&self) -> Option<Value> {
        reqwest::get(format!("http://{}/_usher/status", self.control))
            .await
            .ok()?
            .json()
            .await
            .ok()
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        let response = reqwest::get(format!("http://{}{path}", self.http))
            .await
            .unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// Sends SIGINT. The drain has to succeed.
    pub(crate) fn drain(mut self) {
        kill(Pid::from_raw(self.host.id() as i32), Signal::SIGINT).unwrap();
        let ended = self.host.wait().unwrap();
        assert!(ended.success(), "{ended}\n{}", self.log());
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.host.kill();
        let _ = self.host.wait();
    }
}

pub(crate) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../examples")
        .join(name)
}

/// Collects the lines of a stream.
fn collect(from: impl std::io::Read + Send + 'static, log: &Arc<Mutex<String>>) {
    let log = Arc::clone(log);
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            log.lock().unwrap().extend([line.as_str(), "\n"]);
        }
    });
}
