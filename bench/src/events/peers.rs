//! The alternatives. Each is a program under `bench/peers`, built here. If its tools are missing,
//! the measurement reports that and skips it.

use std::fmt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use tokio::process::Command;
use tokio::time::timeout;

use super::Site;
use crate::throughput::Run;

/// Maximum time of a peer.
const PATIENCE: Duration = Duration::from_mins(3);

/// A peer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer {
    /// Label.
    pub(super) name: &'static str,
    folder: &'static str,
    /// Command that must succeed before it can be built.
    needs: &'static [&'static [&'static str]],
}

/// The measured peers.
pub(super) const ALL: [Peer; 2] = [
    Peer {
        name: "Watermill 1.5 (Go), router, in its process",
        folder: "watermill",
        needs: &[&["go", "version"]],
    },
    Peer {
        name: "Spring Kafka 4 batch listener, in its process",
        folder: "spring",
        needs: &[&["java", "-version"], &["mvn", "--version"]],
    },
];

/// The last line that a peer prints.
#[derive(Deserialize)]
struct Report {
    events: u64,
    seconds: f64,
    cpu_seconds: f64,
}

/// Why a peer cannot be built on this machine.
pub(super) enum NotBuilt {
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

/// Builds and runs a peer.
pub(super) async fn run(peer: Peer, site: &Site, events: u64) -> Result<Result<Run, NotBuilt>> {
    for tool in peer.needs {
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
    let script = site
        .checkout
        .root
        .join("bench/peers")
        .join(peer.folder)
        .join("run");
    let output = site.checkout.data().join("bench/peers").join(peer.folder);
    std::fs::create_dir_all(&output)
        .with_context(|| format!("{} cannot be made", output.display()))?;
    let built = command(&script, &output).arg("build").output().await?;
    if !built.status.success() {
        return Ok(Err(NotBuilt::BuildFailed(last_line(&built.stderr))));
    }
    let mut command = command(&script, &output);
    command
        .arg("run")
        .env("BROKERS", &site.brokers)
        .env("TOPIC", &site.topic)
        .env("EVENTS", events.to_string());
    let ran = timeout(PATIENCE, command.output())
        .await
        .with_context(|| format!("{} does not end", peer.name))??;
    let line = last_line(&ran.stdout);
    match serde_json::from_str::<Report>(&line) {
        Ok(Report {
            events,
            seconds,
            cpu_seconds,
        }) if ran.status.success() => Ok(Ok(Run {
            done: events,
            seconds,
            cpu: cpu_seconds,
        })),
        _ => bail!(
            "{} ended with {}: {line} {}",
            peer.name,
            ran.status,
            last_line(&ran.stderr)
        ),
    }
}

fn command(script: &Path, output: &Path) -> Command {
    let mut command = Command::new(script);
    command
        .env("OUT", output)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

fn last_line(output: &[u8]) -> String {
    String::from_utf8_lossy(output)
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default()
        .to_owned()
}
