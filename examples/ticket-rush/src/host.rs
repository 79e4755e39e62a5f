//! `usher` as a child process.

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

use crate::locations::{Checkout, Servers};
use crate::status::HostStatus;

/// Timeout of a start of programs that are built.
const START_TIMEOUT: Duration = Duration::from_mins(1);
/// Timeout of a drain.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(45);

/// One environment of the system: its prefix, its servers, and its settings beyond usher.toml.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Checkout and programs.
    pub checkout: Checkout,
    /// Environment prefix.
    pub prefix: String,
    /// Servers.
    pub servers: Servers,
    /// Folder of the key set.
    pub keys: PathBuf,
    /// Address of the API.
    pub http: SocketAddr,
    /// Address of the control port.
    pub control: SocketAddr,
    /// Template parameters beyond prefix and servers.
    pub parameters: Vec<(String, String)>,
    /// Whether schedules fire.
    pub schedules: bool,
    /// State folder of the host.
    pub state: PathBuf,
    /// File with the output of `usher`.
    pub log: PathBuf,
}

impl Environment {
    /// A command of `usher` that runs the functions built together with this program.
    pub fn usher(&self, verb: &str) -> Result<Command> {
        let mut usher = self.usher_with(&[verb])?;
        usher.arg("--state").arg(&self.state).args([
            "--no-build",
            "--profile",
            self.checkout.profile(),
        ]);
        usher.env(
            "CARGO_TARGET_DIR",
            self.checkout
                .programs
                .parent()
                .unwrap_or(&self.checkout.programs),
        );
        Ok(usher)
    }

    /// `usher` with arguments and the parameters of the environment.
    pub fn usher_with(&self, arguments: &[&str]) -> Result<Command> {
        let mut usher = Command::new(self.checkout.program("usher")?);
        usher
            .current_dir(&self.checkout.root)
            .args(arguments)
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

    /// Invokes a function with one event, through the environment's host if one runs.
    pub async fn invoke(&self, function: &str, event: &Path) -> Result<Output> {
        self.invoke_with(function, event, &[]).await
    }

    /// Invokes a function with one event in a process of its own. A running host, which may belong
    /// to another environment, is not used.
    pub async fn invoke_alone(&self, function: &str, event: &Path) -> Result<Output> {
        self.invoke_with(function, event, &["--alone"]).await
    }

    async fn invoke_with(
        &self,
        function: &str,
        event: &Path,
        arguments: &[&str],
    ) -> Result<Output> {
        let mut usher = self.usher("invoke")?;
        usher
            .arg("-e")
            .arg(event)
            .arg(function)
            .args(arguments)
            .kill_on_drop(true);
        Ok(usher.output().await?)
    }

    /// Starts the host and waits until it serves.
    pub async fn up(&self) -> Result<Host> {
        let mut usher = self.usher("up")?;
        usher.arg("--jwks").arg(self.keys.join("jwks.json"));
        usher.arg("--http").arg(self.http.to_string());
        usher.args(["--schedules", if self.schedules { "on" } else { "off" }]);
        Host::start(usher, self.control, Some(self.http), &self.log).await
    }
}

/// A running `usher up`. It is killed when this value is dropped; it drains and ends if this
/// process is killed.
#[derive(Debug)]
pub struct Host {
    child: Child,
    /// The host drains when its standard input closes, which happens however this process ends.
    _input: Option<ChildStdin>,
    status_client: StatusClient,
    log: PathBuf,
}

/// Reads the status of a host.
#[derive(Debug, Clone)]
pub struct StatusClient {
    control: SocketAddr,
    client: reqwest::Client,
}

impl StatusClient {
    /// Gets the status document.
    pub async fn status(&self) -> Result<HostStatus> {
        let answer = self
            .client
            .get(format!("http://{}/_usher/status", self.control))
            .send()
            .await?;
        Ok(answer.error_for_status()?.json().await?)
    }
}

impl Host {
    /// Starts the given `usher up`, appends its output to `log`, and waits until it serves its
    /// status at `control` and, if given, accepts connections at `http`.
    pub async fn start(
        mut usher: Command,
        control: SocketAddr,
        http: Option<SocketAddr>,
        log: &Path,
    ) -> Result<Self> {
        let output = File::options().create(true).append(true).open(log);
        let output = output.with_context(|| format!("cannot write {}", log.display()))?;
        usher
            .arg("--control")
            .arg(control.to_string())
            .arg("--until-stdin-closes")
            .stdin(Stdio::piped());
        // A process group of its own: Ctrl-C reaches it only through this process.
        usher
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .kill_on_drop(true);
        let mut child = usher.spawn().context("cannot start usher")?;
        let input = child.stdin.take();
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(5))
            .build()?;
        let mut host = Self {
            child,
            _input: input,
            status_client: StatusClient { control, client },
            log: log.to_owned(),
        };
        host.serving(http).await?;
        Ok(host)
    }

    /// A client of its status.
    pub fn status_client(&self) -> StatusClient {
        self.status_client.clone()
    }

    /// Process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Waits until it ends.
    pub async fn wait(&mut self) -> Result<std::process::ExitStatus> {
        Ok(self.child.wait().await?)
    }

    async fn serving(&mut self, http: Option<SocketAddr>) -> Result<()> {
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("usher did not start ({status}):\n{}", last_lines(&self.log));
            }
            let api = match http {
                Some(http) => tokio::net::TcpStream::connect(http).await.is_ok(),
                None => true,
            };
            // If another host has taken the port meanwhile, that one answers until this one has
            // ended.
            if api
                && self
                    .status_client
                    .status()
                    .await
                    .is_ok_and(|status| Some(status.pid) == self.child.id())
            {
                return Ok(());
            }
            if Instant::now() > deadline {
                bail!(
                    "usher does not serve after {} s:\n{}",
                    START_TIMEOUT.as_secs(),
                    last_lines(&self.log)
                );
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Drains and stops it. Fails if it fails, or if it must be killed.
    pub async fn stop(mut self) -> Result<()> {
        if let Some(pid) = self.child.id() {
            kill(Pid::from_raw(pid as i32), Signal::SIGTERM).context("cannot stop usher")?;
        }
        match timeout(DRAIN_TIMEOUT, self.child.wait()).await {
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
                    DRAIN_TIMEOUT.as_secs(),
                    last_lines(&self.log)
                )
            }
        }
    }

    /// Kills it without a drain, as a power failure does.
    pub async fn kill(mut self) -> Result<()> {
        self.child.kill().await.context("cannot kill usher")
    }
}

/// The last lines of a log, for an error.
pub fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

/// `preferred` if nothing listens there, else a free port of the same address.
pub fn free_address(preferred: SocketAddr) -> Result<SocketAddr> {
    let listener = std::net::TcpListener::bind(preferred)
        .or_else(|_| std::net::TcpListener::bind((preferred.ip(), 0)));
    Ok(listener.context("no free port")?.local_addr()?)
}
