//! A private Redis, and the removal of keys from a shared one.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use redis::cluster::ClusterClient;
use redis::{Cmd, Connection, FromRedisValue, RedisResult, cmd};
use tempfile::TempDir;

use crate::net::free_address;
use crate::tls::{Identity, path_text};

/// How long a start may take, with data to load on a busy machine.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// A Redis on a free port. It is killed and its data are removed when this value is dropped.
#[derive(Debug)]
pub struct PrivateRedis {
    port: u16,
    folder: TempDir,
    settings: Vec<String>,
    child: Child,
}

impl PrivateRedis {
    /// Starts `redis-server` with further settings, such as `["--maxmemory", "3mb"]`, and waits
    /// until it answers.
    pub fn start(settings: &[&str]) -> Self {
        let port = free_address().port();
        let folder = TempDir::new().expect("a temporary folder");
        let settings: Vec<String> = settings.iter().map(|word| (*word).to_owned()).collect();
        let child = spawn(port, &folder, &settings);
        let server = Self {
            port,
            folder,
            settings,
            child,
        };
        server.wait();
        server
    }

    /// Starts a server whose second port requires TLS, with this certificate.
    pub fn start_with_tls(identity: &Identity, settings: &[&str]) -> (Self, u16) {
        let port = free_address().port();
        let text = port.to_string();
        let (certificate, key) = (path_text(&identity.certificate), path_text(&identity.key));
        let mut all = vec!["--tls-port", &text, "--tls-cert-file", &certificate];
        all.extend(["--tls-key-file", &key]);
        if !settings.contains(&"--tls-auth-clients") {
            all.extend(["--tls-auth-clients", "no"]);
        }
        all.extend(settings);
        (Self::start(&all), port)
    }

    /// Stops or continues its process: `SIGSTOP`, `SIGCONT`. Its connections stay open.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().cast_signed());
        kill(pid, signal).expect("the server runs");
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// A file in its data folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Kills the server without saving.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Saves, kills the server, and starts it again on the saved data.
    pub fn restart(&mut self) {
        self.run(&["SAVE"]);
        self.kill();
        self.start_again();
    }

    /// Starts a killed server again.
    pub fn start_again(&mut self) {
        self.child = spawn(self.port, &self.folder, &self.settings);
        self.wait();
    }

    /// Runs a command.
    pub fn run(&self, words: &[&str]) {
        let () = self.query(words);
    }

    /// Runs a command and returns its answer.
    pub fn query<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let answer = connect(&self.url())
            .and_then(|mut redis| cmd(words[0]).arg(&words[1..]).query(&mut redis));
        answer.unwrap_or_else(|e| panic!("{words:?}: {e}"))
    }

    /// Waits until every replica has what this primary has.
    pub fn wait_for_replicas(&self) {
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            let info: String = self.query(&["INFO", "replication"]);
            let offset = info
                .lines()
                .find_map(|line| line.strip_prefix("master_repl_offset:"))
                .unwrap_or_default();
            let copied = format!(",offset={offset},");
            let mut replicas = info
                .lines()
                .filter(|line| line.contains(",state="))
                .peekable();
            if replicas.peek().is_some() && replicas.all(|line| line.contains(&copied)) {
                return;
            }
            assert!(Instant::now() < deadline, "the replicas lag: {info}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn wait(&self) {
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            let pong =
                connect(&self.url()).and_then(|mut redis| cmd("PING").query::<String>(&mut redis));
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

impl Drop for PrivateRedis {
    fn drop(&mut self) {
        self.kill();
    }
}

fn connect(url: &str) -> RedisResult<Connection> {
    redis::Client::open(url)?.get_connection()
}

fn spawn(port: u16, folder: &TempDir, settings: &[String]) -> Child {
    let port = port.to_string();
    let fixed = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
    Command::new("redis-server")
        .args(["--port", port.as_str()])
        .args(fixed)
        .arg("--dir")
        .arg(folder.path())
        .args(settings)
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server starts; it comes with `scripts/servers start redis`")
}

/// Runs a command on a server, or with `?cluster=true` on the node of its key.
pub fn query<T: FromRedisValue>(url: &str, words: &[&str]) -> RedisResult<T> {
    let mut command = cmd(words[0]);
    command.arg(&words[1..]);
    run(url, &command)
}

/// As [`query`], with arguments that need not be text.
pub fn run<T: FromRedisValue>(url: &str, command: &Cmd) -> RedisResult<T> {
    match cluster_of(url) {
        Some(nodes) => command.query(&mut ClusterClient::new(nodes)?.get_connection()?),
        None => command.query(&mut connect(url)?),
    }
}

/// The nodes that the address of a cluster names; `None` for the address of one server.
pub fn cluster_of(url: &str) -> Option<Vec<String>> {
    let nodes = url
        .strip_suffix("?cluster=true")?
        .strip_prefix("redis://")?;
    Some(
        nodes
            .split(',')
            .map(|node| format!("redis://{node}"))
            .collect(),
    )
}

/// Removes all keys that begin with `{prefix}:` from a shared server, or from each node that the
/// address of a cluster names.
pub fn remove_keys(url: &str, prefix: &str) -> RedisResult<()> {
    for node in cluster_of(url).unwrap_or_else(|| vec![url.to_owned()]) {
        remove_from_node(&node, prefix)?;
    }
    Ok(())
}

fn remove_from_node(url: &str, prefix: &str) -> RedisResult<()> {
    let mut redis = connect(url)?;
    let pattern = format!("{prefix}:*");
    let mut cursor = 0_u64;
    loop {
        let (next, keys): (u64, Vec<String>) = cmd("SCAN")
            .arg(cursor)
            .arg("MATCH")
            .arg(&pattern)
            .arg("COUNT")
            .arg(10_000)
            .query(&mut redis)?;
        for key in keys {
            cmd("UNLINK").arg(key).exec(&mut redis)?;
        }
        if next == 0 {
            return Ok(());
        }
        cursor = next;
    }
}
