//! A private set of servers of scripts/servers.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use testkit::net::free_address;
use ticket_rush::locations::Servers;

/// The servers of a set, on free ports. They are stopped and their data are removed when this value
/// is dropped.
#[derive(Debug)]
pub struct ServerSet {
    set: &'static str,
    data: TempDir,
}

impl ServerSet {
    /// Servers that require TLS and a login.
    pub fn with_tls() -> Result<Self> {
        let ports = ["REDIS", "CACHE", "POSTGRES", "KAFKA", "KAFKA_CONTROLLER"];
        Self::start("tls", &ports)
    }

    /// Primaries with replicas: a gate with sentinels, and a database.
    pub fn with_replicas() -> Result<Self> {
        let ports = [
            "GATE1",
            "GATE2",
            "GATE3",
            "SENTINEL1",
            "SENTINEL2",
            "SENTINEL3",
            "DATABASE1",
            "DATABASE2",
        ];
        Self::start("failover", &ports)
    }

    fn start(set: &'static str, ports: &[&str]) -> Result<Self> {
        let started = Self {
            set,
            data: TempDir::new()?,
        };
        let folder = started.data.path().join(set);
        std::fs::create_dir(&folder)?;
        let mut lines = String::new();
        for name in ports {
            // writing to a String cannot fail
            let _ = writeln!(lines, "{name}_PORT={}", free_address().port());
        }
        std::fs::write(folder.join("ports"), lines)?;
        started.run(&["start"])?;
        Ok(started)
    }

    /// Runs scripts/servers for this set.
    pub fn run(&self, arguments: &[&str]) -> Result<()> {
        let output = self.command().args(arguments).output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("scripts/servers {arguments:?}: {said}");
        }
        Ok(())
    }

    /// Addresses and logins; of servers that the set lacks, those of the environment.
    pub fn servers(&self) -> Result<Servers> {
        let own = self.variables()?;
        Ok(Servers::read(|name| {
            own.get(name).cloned().or_else(|| std::env::var(name).ok())
        }))
    }

    /// A variable that only `scripts/servers env` sets.
    pub fn variable(&self, name: &str) -> Result<String> {
        let value = self.variables()?.remove(name);
        value.with_context(|| format!("scripts/servers env sets no {name}"))
    }

    /// What `scripts/servers env` sets. A shell reads it, as it is quoted for one.
    fn variables(&self) -> Result<HashMap<String, String>> {
        let mut shell = Command::new("env");
        shell.args(["-i", "bash", "-c", "eval \"$1\" && exec env -0", "bash"]);
        let printed = self.command().arg("env").output()?;
        let printed = String::from_utf8(printed.stdout)?;
        let set = String::from_utf8(shell.arg(printed).output()?.stdout)?;
        let set = set.split('\0').filter_map(|pair| pair.split_once('='));
        Ok(set
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect())
    }

    fn command(&self) -> Command {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/servers");
        let mut command = Command::new(script);
        command
            .env("USHER_DATA", self.data.path())
            .env("USHER_SERVERS", self.set);
        command
    }
}

impl Drop for ServerSet {
    fn drop(&mut self) {
        if let Err(error) = self.run(&["wipe"]) {
            eprintln!("a private set of servers was not removed: {error:#}");
        }
    }
}
