//! `usher` as a child process.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{sleep, timeout};

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
    /// Another template than the checkout's; its folder holds the `usher.toml` that is read.
    pub template: Option<PathBuf>,
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
        usher
            .arg("--state")
            .arg(&self.state)
            .args(["--no-build", "--profile", self.checkout.profile()])
            .env("CARGO_TARGET_DIR", self.checkout.target());
        Ok(usher)
    }

    /// `usher` with arguments and the parameters of the environment.
    pub fn usher_with(&self, arguments: &[&str]) -> Result<Command> {
        let servers = &self.servers;
        let mut usher = Command::new(self.checkout.program("usher")?);
        usher
            .current_dir(&self.checkout.root)
            .args(arguments)
            .stdin(Stdio::null())
            .args(["--sqs-endpoint", &servers.sqs_endpoint]);
        // With a login it stands in usher.toml, which `application::with_logins` writes.
        if servers.cache_login.is_none() {
            usher.args(["--redis-endpoint", &servers.cache_url]);
        }
        if let Some(template) = &self.template {
            usher.arg("--template").arg(template);
        }
        usher.arg("--parameter-overrides");
        let own = [("EnvPrefix", self.prefix.clone())];
        let more = self
            .parameters
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone()));
        let all = own.into_iter().chain(servers.addresses()).chain(more);
        usher.args(all.map(|(name, value)| format!("{name}={value}")));
        Ok(usher)
    }

    /// Invokes a function with one event, through the environment's host if one runs. With the
    /// option `--alone`, a running host, which may belong to another environment, is not used.
    pub async fn invoke(&self, function: &str, event: &Path, options: &[&str]) -> Result<Output> {
        let mut usher = self.usher("invoke")?;
        usher.arg("-e").arg(event).arg(function).args(options);
        Ok(usher.kill_on_drop(true).output().await?)
    }

    /// The audit of the client logs in a folder.
    pub async fn audit(&self, logs: &Path) -> Result<Command> {
        let servers = &self.servers;
        let mut audit = Command::new(self.checkout.program("ticket-audit")?);
        audit
            .args(["--env", &self.prefix])
            .args(["--database-url", &servers.database_url])
            .args(["--redis-url", &servers.gate_url().await?])
            // Callers that audit a running system repeat the audit themselves.
            .args(["--pause", "0"])
            .arg("--logs")
            .arg(logs);
        let logins = [
            ("DATABASE", &servers.database_login),
            ("REDIS_GATE", &servers.redis_login),
        ];
        for (name, login) in logins {
            if let Some(login) = login {
                audit.env(format!("{name}_USER"), &login.user);
                audit.env(format!("{name}_PASSWORD"), &login.password);
            }
        }
        if let Some(file) = &servers.authority {
            audit.env("TLS_CA_FILE", file);
        }
        Ok(audit)
    }

    /// Starts the host and waits until it serves.
    pub async fn up(&self) -> Result<Host> {
        let mut usher = self.usher("up")?;
        usher
            .arg("--jwks")
            .arg(self.keys.join("jwks.json"))
            .args(["--http", &self.http.to_string()])
            .args(["--schedules", if self.schedules { "on" } else { "off" }]);
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
        let url = format!("http://{}/_usher/status", self.control);
        let answer = self.client.get(url).send().await?;
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
        // A process group of its own: Ctrl-C reaches it only through this process.
        usher
            .args(["--control", &control.to_string(), "--until-stdin-closes"])
            .stdin(Stdio::piped())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .kill_on_drop(true);
        let mut child = usher.spawn().context("cannot start usher")?;
        let input = child.stdin.take();
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(5));
        let client = client.build()?;
        let mut host = Self {
            child,
            _input: input,
            status_client: StatusClient { control, client },
            log: log.to_owned(),
        };
        let Ok(serving) = timeout(START_TIMEOUT, host.serving(http)).await else {
            let seconds = START_TIMEOUT.as_secs();
            return Err(host.error(&format!("does not serve after {seconds} s")));
        };
        serving.map(|()| host)
    }

    /// A client of its status.
    pub fn status_client(&self) -> StatusClient {
        self.status_client.clone()
    }

    /// Waits until it ends.
    pub async fn wait(&mut self) -> Result<std::process::ExitStatus> {
        Ok(self.child.wait().await?)
    }

    async fn serving(&mut self, http: Option<SocketAddr>) -> Result<()> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Err(self.error(&format!("did not start ({status})")));
            }
            let api = match http {
                Some(http) => TcpStream::connect(http).await.is_ok(),
                None => true,
            };
            let status = self.status_client.status().await;
            // If another host has taken the port meanwhile, that one answers until this one has
            // ended.
            if api && status.is_ok_and(|status| Some(status.pid) == self.child.id()) {
                return Ok(());
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// What the host did wrong, with the last lines of its log.
    fn error(&self, what: &str) -> anyhow::Error {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let last = lines[lines.len().saturating_sub(20)..].join("\n");
        anyhow!("usher {what}:\n{last}")
    }

    /// Drains and stops it. Fails if it fails, or if it must be killed.
    pub async fn stop(mut self) -> Result<()> {
        if let Some(pid) = self.child.id() {
            kill(Pid::from_raw(pid as i32), Signal::SIGTERM).context("cannot stop usher")?;
        }
        let Ok(status) = timeout(DRAIN_TIMEOUT, self.child.wait()).await else {
            let seconds = DRAIN_TIMEOUT.as_secs();
            let error = format!("did not drain within {seconds} s; it was killed");
            return Err(self.error(&error));
        };
        let status = status?;
        if status.success() {
            return Ok(());
        }
        Err(self.error(&format!("stopped with {status}")))
    }

    /// Kills it without a drain, as a power failure does.
    pub async fn kill(mut self) -> Result<()> {
        self.child.kill().await.context("cannot kill usher")
    }
}

/// `preferred` if nothing listens there, else a free port of the same address.
pub fn free_address(preferred: SocketAddr) -> Result<SocketAddr> {
    let listener = std::net::TcpListener::bind(preferred)
        .or_else(|_| std::net::TcpListener::bind((preferred.ip(), 0)));
    Ok(listener.context("no free port")?.local_addr()?)
}
