//! A Kafka that one journey may stop: `scripts/servers` with ports and data of its own.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use ticket_rush::place::Place;

/// Wiped when dropped.
#[derive(Debug)]
pub struct PrivateKafka {
    script: PathBuf,
    data: TempDir,
    ports: [u16; 2],
}

impl PrivateKafka {
    /// Starts one on free ports.
    pub fn start() -> Result<Self> {
        let listeners = [
            TcpListener::bind("127.0.0.1:0")?,
            TcpListener::bind("127.0.0.1:0")?,
        ];
        let ports = [
            listeners[0].local_addr()?.port(),
            listeners[1].local_addr()?.port(),
        ];
        drop(listeners);
        let kafka = Self {
            script: Place::find()?.file("scripts/servers"),
            data: TempDir::new()?,
            ports,
        };
        kafka.back()?;
        Ok(kafka)
    }

    /// Where it listens.
    pub fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.ports[0])
    }

    /// Stops it; its data stay.
    pub fn away(&self) -> Result<()> {
        self.servers("stop")
    }

    /// Starts it again.
    pub fn back(&self) -> Result<()> {
        self.servers("start")
    }

    fn servers(&self, verb: &str) -> Result<()> {
        let mut script = Command::new(&self.script);
        // Its own, also where the shared servers run elsewhere.
        script
            .args([verb, "kafka"])
            .env("USHER_DATA", self.data.path())
            .env_remove("USHER_SERVERS");
        script
            .env("KAFKA_PORT", self.ports[0].to_string())
            .env("KAFKA_CONTROLLER_PORT", self.ports[1].to_string());
        let output = script
            .output()
            .with_context(|| format!("{} cannot be run", self.script.display()))?;
        if !output.status.success() {
            bail!(
                "scripts/servers {verb} kafka: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(())
    }
}

impl Drop for PrivateKafka {
    fn drop(&mut self) {
        if let Err(error) = self.servers("wipe") {
            eprintln!(
                "the private Kafka in {} is still there: {error}",
                self.data.path().display()
            );
        }
    }
}
