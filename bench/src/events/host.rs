//! The function under `usher`.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use ticket_rush::host::{Host, free_address};
use tokio::process::Command;

use super::{INSTANCES, Site, WARM};
use crate::throughput::{Run, through_usher};

/// A running host, with the folder of its log.
pub(super) struct Running {
    pub(super) host: Host,
    folder: PathBuf,
}

/// Starts `bench/events`. `latencies`: name of the file in the folder to write latencies to.
/// `neighbour`: what a second function does.
pub(super) async fn start(
    site: &Site,
    group: &str,
    batch: u32,
    latencies: Option<&str>,
    neighbour: &str,
) -> Result<Running> {
    let folder = site
        .checkout
        .data()
        .join("bench")
        .join(format!("{}-{group}", site.topic));
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let latencies = latencies
        .map(|name| folder.join(name).display().to_string())
        .unwrap_or_default();
    let mut usher = Command::new(site.checkout.program("usher")?);
    usher
        .current_dir(site.checkout.root.join("bench/events"))
        .args(["up", "--no-build", "--profile", site.checkout.profile()]);
    usher
        .env("CARGO_TARGET_DIR", site.checkout.target())
        .env("RUST_LOG", "warn");
    let parameters = [
        ("Brokers", site.brokers.clone()),
        ("Topic", site.topic.clone()),
        ("Group", format!("{}-{group}", site.topic)),
        ("BatchSize", batch.to_string()),
        ("Instances", INSTANCES.to_string()),
        ("LatencyTo", latencies),
        ("Neighbour", neighbour.to_owned()),
    ];
    usher.arg("--parameter-overrides");
    usher.args(
        parameters
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("{name}={value}")),
    );
    let control = free_address(([127, 0, 0, 1], 0).into())?;
    let host = Host::start(usher, control, None, &folder.join("usher.log")).await?;
    Ok(Running { host, folder })
}

impl Running {
    /// Path of a file in its folder.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Stops it and removes its folder. Keeps the log if it did not stop cleanly.
    pub(super) async fn stop(self) -> Result<()> {
        self.host.stop().await?;
        fs::remove_dir_all(&self.folder).context("the run's folder cannot be removed")
    }
}

pub(super) async fn run(site: &Site, events: u64, batch: u32) -> Result<Run> {
    beside(site, events, batch, "none").await
}

/// As [`run`], beside another function that does `neighbour`.
pub(super) async fn beside(site: &Site, events: u64, batch: u32, neighbour: &str) -> Result<Run> {
    let group = format!(
        "usher-{batch}-{neighbour}-{:06x}",
        rand::random::<u32>() >> 8
    );
    let running = start(site, &group, batch, None, neighbour).await?;
    let run = through_usher(&running.host.status_client(), "Noop", events, WARM).await?;
    let other = running
        .host
        .status_client()
        .status()
        .await?
        .mapping("Neighbour")
        .map(|mapping| mapping.records_done);
    ensure!(
        other.unwrap_or(0) == 0,
        "the other function did not misbehave: {other:?} records are done"
    );
    running.stop().await?;
    Ok(run)
}
