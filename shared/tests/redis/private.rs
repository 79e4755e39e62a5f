//! A Redis of one test's own: on a free port, data in a temporary folder, gone with the test.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

pub(crate) struct Private {
    pub(crate) port: u16,
    folder: TempDir,
    extra: Vec<String>,
    child: Child,
}

impl Private {
    /// Starts `redis-server` with further settings, e.g. `["--maxmemory", "3mb"]`, and waits until it answers.
    pub(crate) fn start(extra: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|socket| socket.local_addr())
            .expect("a free port")
            .port();
        let folder = TempDir::new().expect("a temporary folder");
        let extra: Vec<String> = extra.iter().map(|word| (*word).to_owned()).collect();
        let child = spawn(port, &folder, &extra);
        let server = Self {
            port,
            folder,
            extra,
            child,
        };
        server.wait();
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// A file among its data.
    pub(crate) fn file(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    /// Ends the server as a crash would.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Saves, ends the server, and starts it again on the same data.
    pub(crate) fn restart(&mut self) {
        redis::cmd("SAVE")
            .exec(&mut self.connection())
            .expect("saves");
        self.kill();
        self.start_again();
    }

    /// Starts a killed server again.
    pub(crate) fn start_again(&mut self) {
        self.child = spawn(self.port, &self.folder, &self.extra);
        self.wait();
    }

    pub(crate) fn run(&self, words: &[&str]) {
        redis::cmd(words[0])
            .arg(&words[1..])
            .exec(&mut self.connection())
            .unwrap_or_else(|e| panic!("{words:?}: {e}"));
    }

    /// What it answers.
    pub(crate) fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        redis::cmd(words[0])
            .arg(&words[1..])
            .query(&mut self.connection())
            .unwrap_or_else(|e| panic!("{words:?}: {e}"))
    }

    fn connection(&self) -> redis::Connection {
        redis::Client::open(self.url())
            .and_then(|client| client.get_connection())
            .expect("connects")
    }

    fn wait(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        let client = redis::Client::open(self.url()).expect("an address");
        loop {
            let pong = client
                .get_connection()
                .and_then(|mut redis| redis::cmd("PING").query::<String>(&mut redis));
            match pong {
                Ok(_) => return,
                Err(error) => assert!(
                    Instant::now() < deadline,
                    "the private redis-server does not answer: {error}"
                ),
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(port: u16, folder: &TempDir, extra: &[String]) -> Child {
    Command::new("redis-server")
        .args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ])
        .arg("--dir")
        .arg(folder.path())
        .args(extra)
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server starts; it comes with `scripts/servers start redis`")
}
