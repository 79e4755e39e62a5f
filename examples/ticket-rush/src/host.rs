//! `usher` as a child process: invoke once, or up until stopped.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::place::{Place, Servers};
use crate::status::Status;

/// How long a start may take once everything is built.
const START: Duration = Duration::from_mins(1);
/// How long a drain may take.
const DRAIN: Duration = Duration::from_secs(45);

/// One environment of the system: its name, servers, and what it sets differently from usher.toml.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Checkout and programs.
    pub place: Place,
    /// Environment prefix.
    pub prefix: String,
    /// Servers.
    pub servers: Servers,
    /// Folder of the public keys.
    pub keys: PathBuf,
    /// Where the API listens.
    pub http: SocketAddr,
    /// Where the host tells its status.
    pub control: SocketAddr,
    /// Template parameters beyond prefix and servers.
    pub parameters: Vec<(String, String)>,
    /// Whether schedules fire.
    pub schedules: bool,
    /// What the host keeps.
    pub state: PathBuf,
    /// Where `usher` writes its output.
    pub log: PathBuf,
}

impl Environment {
    /// `usher` with a verb that runs functions, those that were built together with this program.
    pub fn usher(&self, verb: &str) -> Result<Command> {
        let mut usher = self.told(&[verb])?;
        usher.arg("--state").arg(&self.state).args([
            "--no-build",
            "--profile",
            self.place.profile(),
        ]);
        usher.env(
            "CARGO_TARGET_DIR",
            self.place.programs.parent().unwrap_or(&self.place.programs),
        );
        Ok(usher)
    }

    /// `usher` with words and what the environment differs in.
    pub fn told(&self, words: &[&str]) -> Result<Command> {
        let mut usher = Command::new(self.place.program("usher")?);
        usher
            .current_dir(&self.place.root)
            .args(words)
            .stdin(Stdio::null());
        usher.args([
            "--sqs-endpoint",
            &self.servers.sqs_endpoint,
            "--redis-endpoint",
            &self.servers.cache_url,
        ]);
        let own = [
            ("EnvPrefix", &self.prefix),
            ("DatabaseUrl", &self.servers.database_url),
            ("RedisGateUrl", &self.servers.redis_url),
            ("RedisCacheUrl", &self.servers.cache_url),
            ("KafkaBootstrapServers", &self.servers.brokers),
        ];
        usher.arg("--parameter-overrides");
        usher.args(own.map(|(name, value)| format!("{name}={value}")));
        usher.args(
            self.parameters
                .iter()
                .map(|(name, value)| format!("{name}={value}")),
        );
        Ok(usher)
    }

    /// Runs a function for one event, through the environment's host where one runs, and gives its answer.
    pub async fn invoke(&self, function: &str, event: &Path) -> Result<Output> {
        self.invoked(function, event, &[]).await
    }

    /// Starts a function of its own for one event, whatever host runs beside it, and gives its answer. That host may be another
    /// environment's.
    pub async fn invoke_alone(&self, function: &str, event: &Path) -> Result<Output> {
        self.invoked(function, event, &["--alone"]).await
    }

    async fn invoked(&self, function: &str, event: &Path, more: &[&str]) -> Result<Output> {
        let mut usher = self.usher("invoke")?;
        usher
            .arg("-e")
            .arg(event)
            .arg(function)
            .args(more)
            .kill_on_drop(true);
        Ok(usher.output().await?)
    }

    /// Starts everything and waits until it serves.
    pub async fn up(&self) -> Result<Host> {
        let mut usher = self.usher("up")?;
        usher.arg("--jwks").arg(self.keys.join("jwks.json"));
        usher.arg("--http").arg(self.http.to_string());
        usher.args(["--schedules", if self.schedules { "on" } else { "off" }]);
        Host::start(usher, self.control, Some(self.http), &self.log).await
    }
}

/// A running `usher up`. Dropped, it is killed, and its functions with it; it drains and ends if this process is killed.
#[derive(Debug)]
pub struct Host {
    child: Child,
    /// The host ends with its standard input, which this process closes by any end of its own.
    _input: Option<ChildStdin>,
    watch: Watch,
    log: PathBuf,
}

/// Asks a host what it does.
#[derive(Debug, Clone)]
pub struct Watch {
    control: SocketAddr,
    client: reqwest::Client,
}

impl Watch {
    /// What the host says of itself.
    pub async fn status(&self) -> Result<Status> {
        let answer = self
            .client
            .get(format!("http://{}/_usher/status", self.control))
            .send()
            .await?;
        Ok(answer.error_for_status()?.json().await?)
    }
}

impl Host {
    /// Starts `usher up` as `usher` says it, its output appended to `log`, and waits until it tells its status at `control` and
    /// listens at `http`, if anything of it does.
    pub async fn start(
        mut usher: Command,
        control: SocketAddr,
        http: Option<SocketAddr>,
        log: &Path,
    ) -> Result<Self> {
        let output = File::options().create(true).append(true).open(log);
        let output = output.with_context(|| format!("{} cannot be written", log.display()))?;
        usher
            .arg("--control")
            .arg(control.to_string())
            .arg("--until-stdin-closes")
            .stdin(Stdio::piped());
        // A group of its own, so that Ctrl-C reaches it only through us.
        usher
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .kill_on_drop(true);
        let mut child = usher.spawn().context("usher could not be started")?;
        let input = child.stdin.take();
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(5))
            .build()?;
        let mut host = Self {
            child,
            _input: input,
            watch: Watch { control, client },
            log: log.to_owned(),
        };
        host.serving(http).await?;
        Ok(host)
    }

    /// Something that can ask it what it does.
    pub fn watch(&self) -> Watch {
        self.watch.clone()
    }

    /// The process, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until it ends by itself.
    pub async fn ended(&mut self) -> Result<std::process::ExitStatus> {
        Ok(self.child.wait().await?)
    }

    async fn serving(&mut self, http: Option<SocketAddr>) -> Result<()> {
        let deadline = Instant::now() + START;
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("usher did not start ({status}):\n{}", last_lines(&self.log));
            }
            let api = match http {
                Some(http) => tokio::net::TcpStream::connect(http).await.is_ok(),
                None => true,
            };
            // where a port was taken meanwhile, another host answers until this one has ended
            if api
                && self
                    .watch
                    .status()
                    .await
                    .is_ok_and(|status| Some(status.pid) == self.child.id())
            {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!(
                    "usher does not serve after {} s:\n{}",
                    START.as_secs(),
                    last_lines(&self.log)
                );
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Asks it to drain, and waits until it has. An error if it failed or had to be killed.
    pub async fn stop(mut self) -> Result<()> {
        if let Some(pid) = self.child.id() {
            kill(Pid::from_raw(pid as i32), Signal::SIGTERM)
                .context("usher cannot be told to stop")?;
        }
        match timeout(DRAIN, self.child.wait()).await {
            Ok(status) => {
                let status = status?;
                if !status.success() {
                    bail!("usher stopped with {status}:\n{}", last_lines(&self.log));
                }
                Ok(())
            }
            Err(_) => {
                bail!(
                    "usher did not drain within {} s; it was killed:\n{}",
                    DRAIN.as_secs(),
                    last_lines(&self.log)
                )
            }
        }
    }

    /// Kills it without a word, as a power cut would.
    pub async fn kill(mut self) -> Result<()> {
        self.child.kill().await.context("usher cannot be killed")
    }
}

/// The end of a log, for an error.
pub fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

/// `wanted` if nothing listens there, else a free port of the same address.
pub fn free_address(wanted: SocketAddr) -> Result<SocketAddr> {
    let listener = std::net::TcpListener::bind(wanted)
        .or_else(|_| std::net::TcpListener::bind((wanted.ip(), 0)));
    Ok(listener.context("no free port")?.local_addr()?)
}
