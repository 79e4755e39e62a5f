//! Comparable systems. Each is a program under `bench/peers`, built and run by its script `run`. If
//! its tools are missing, the measurement says so and skips it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;
use ticket_rush::locations::Checkout;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::figures::note;

/// Maximum time of a peer.
const PATIENCE: Duration = Duration::from_mins(5);

/// A comparable system.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer {
    /// Label.
    pub name: &'static str,
    /// Its folder under `bench/peers`.
    pub folder: &'static str,
    /// Commands that must succeed before it can be built.
    pub needs: &'static [&'static [&'static str]],
}

/// What a Java program needs.
pub(crate) const MAVEN: &[&[&str]] = &[&["java", "-version"], &["mvn", "--version"]];

/// Why a peer cannot be built on this machine.
#[derive(Debug)]
pub(crate) enum NotBuilt {
    /// This command does not succeed.
    NoTool(String),
    /// The last line of the build's output.
    BuildFailed(String),
}

impl fmt::Display for NotBuilt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTool(command) => write!(f, "there is no `{command}` on this machine"),
            Self::BuildFailed(line) => write!(f, "it does not build: {line}"),
        }
    }
}

/// A peer that can be run.
#[derive(Debug)]
pub(crate) struct Built {
    peer: Peer,
    script: PathBuf,
    output: PathBuf,
}

impl Peer {
    /// Builds it, unless something is missing, or nothing has changed since the last time.
    pub(crate) async fn build(self, checkout: &Checkout) -> Result<Result<Built, NotBuilt>> {
        for tool in self.needs {
            let found = Command::new(tool[0])
                .args(&tool[1..])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .await;
            if !found.is_ok_and(|status| status.success()) {
                return Ok(Err(NotBuilt::NoTool(tool.join(" "))));
            }
        }
        let sources = checkout.root.join("bench/peers").join(self.folder);
        let output = checkout.data().join("bench/peers").join(self.folder);
        std::fs::create_dir_all(&output)
            .with_context(|| format!("{} cannot be made", output.display()))?;
        let built = Built {
            peer: self,
            script: sources.join("run"),
            output,
        };
        let stamp = built.output.join("built");
        if changed(&stamp).is_some_and(|at| newest(&sources).is_some_and(|last| last < at)) {
            return Ok(Ok(built));
        }
        let ended = built.command("build", &[]).output().await?;
        if !ended.status.success() {
            let line = last_line(&ended.stderr).or_else(|| last_line(&ended.stdout));
            let line = line.unwrap_or_else(|| ended.status.to_string());
            return Ok(Err(NotBuilt::BuildFailed(line)));
        }
        std::fs::write(&stamp, "").with_context(|| stamp.display().to_string())?;
        Ok(Ok(built))
    }

    /// Prints that it was not measured.
    pub(crate) fn print_skipped(self, why: &NotBuilt) {
        note(&format!("{} is not measured: {why}", self.name));
    }
}

impl Built {
    /// Runs it to its end with these environment variables. Its last line is its report, as JSON.
    pub(crate) async fn report<R: DeserializeOwned>(&self, settings: &[(&str, &str)]) -> Result<R> {
        let ran = timeout(PATIENCE, self.command("run", settings).output())
            .await
            .with_context(|| format!("{} does not end", self.peer.name))??;
        let line = last_line(&ran.stdout).unwrap_or_default();
        match serde_json::from_str(&line) {
            Ok(report) if ran.status.success() => Ok(report),
            _ => bail!(
                "{} ended with {}: {line} {}",
                self.peer.name,
                ran.status,
                last_line(&ran.stderr).unwrap_or_default()
            ),
        }
    }

    /// Starts it with these environment variables as a server, which prints a line when it is
    /// ready and runs until it is stopped.
    pub(crate) async fn serve(&self, settings: &[(&str, &str)]) -> Result<Serving> {
        let mut child = self
            .command("run", settings)
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} does not start", self.peer.name))?;
        let output = child.stdout.take().context("its output")?;
        let mut lines = BufReader::new(output).lines();
        let first = timeout(PATIENCE, lines.next_line())
            .await
            .with_context(|| format!("{} does not become ready", self.peer.name))??;
        if first.is_none() {
            bail!("{} ended with {}", self.peer.name, child.wait().await?);
        }
        Ok(Serving { child })
    }

    fn command(&self, verb: &str, settings: &[(&str, &str)]) -> Command {
        let mut command = Command::new(&self.script);
        command
            .arg(verb)
            .env("OUT", &self.output)
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }
}

/// A peer that serves requests; it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Serving {
    child: Child,
}

impl Serving {
    /// Its process id.
    pub(crate) fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Ends it.
    pub(crate) async fn stop(mut self) -> Result<()> {
        self.child.kill().await.context("a peer cannot be stopped")
    }
}

/// The last change of a file.
fn changed(file: &Path) -> Option<SystemTime> {
    file.metadata().ok()?.modified().ok()
}

/// The last change within a folder. Files that were removed count by the change of their folder.
fn newest(folder: &Path) -> Option<SystemTime> {
    let within = std::fs::read_dir(folder).ok()?.flatten().map(|entry| {
        let path = entry.path();
        if path.is_dir() {
            newest(&path)
        } else {
            changed(&path)
        }
    });
    within.chain([changed(folder)]).max().flatten()
}

fn last_line(output: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(output);
    let line = text.lines().rev().find(|line| !line.trim().is_empty())?;
    Some(line.to_owned())
}
