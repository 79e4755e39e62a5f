//! The function under `usher`.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ticket_rush::host::{Host, Watch, free_address};
use tokio::process::Command;
use tokio::time::sleep;

use super::{INSTANCES, Run, STALLED, Site};
use crate::cpu::Reading;

/// A running host, with the folder of its log.
pub(super) struct Running {
    pub(super) host: Host,
    folder: PathBuf,
}

/// Starts `bench/events`. `latencies`: the name of the file, within the folder, that gets them.
pub(super) async fn start(site: &Site, group: &str, batch: u32, latencies: Option<&str>) -> Result<Running> {
    let folder = site.place.data().join("bench").join(format!("{}-{group}", site.topic));
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let latencies = latencies.map(|name| folder.join(name).display().to_string()).unwrap_or_default();
    let mut usher = Command::new(site.place.program("usher")?);
    usher.current_dir(site.place.file("bench/events")).args(["up", "--no-build", "--profile", site.place.profile()]);
    usher.env("CARGO_TARGET_DIR", site.place.programs.parent().unwrap_or(&site.place.programs)).env("RUST_LOG", "warn");
    let parameters = [
        ("Brokers", site.brokers.clone()),
        ("Topic", site.topic.clone()),
        ("Group", format!("{}-{group}", site.topic)),
        ("BatchSize", batch.to_string()),
        ("Instances", INSTANCES.to_string()),
        ("LatencyTo", latencies),
    ];
    usher.arg("--parameter-overrides");
    usher.args(parameters.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| format!("{name}={value}")));
    let control = free_address(([127, 0, 0, 1], 0).into())?;
    let host = Host::start(usher, control, None, &folder.join("usher.log")).await?;
    Ok(Running { host, folder })
}

impl Running {
    /// A file of its folder.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Stops it and removes its folder; the log stays if it stopped badly.
    pub(super) async fn stop(self) -> Result<()> {
        self.host.stop().await?;
        fs::remove_dir_all(&self.folder).context("the run's folder cannot be removed")
    }
}

pub(super) async fn run(site: &Site, events: u64, batch: u32) -> Result<Run> {
    let running = start(site, &format!("usher-{batch}"), batch, None).await?;
    let run = watch(&running.host.watch(), events).await?;
    running.stop().await?;
    Ok(run)
}

async fn watch(watch: &Watch, events: u64) -> Result<Run> {
    let (mut last, mut moved, mut start) = (0, Instant::now(), None);
    loop {
        let done = watch.status().await?.mapping("Noop").map_or(0, |mapping| mapping.records_done);
        if done != last {
            (last, moved) = (done, Instant::now());
        }
        ensure!(moved.elapsed() < STALLED, "no event for {} s at {done} of {events}", STALLED.as_secs());
        if start.is_none() && done >= events / 4 {
            start = Some((done, Instant::now(), Reading::of_host(watch).await?));
        }
        if let (true, Some((from, clock, cpu))) = (done >= events, &start) {
            let seconds = clock.elapsed().as_secs_f64();
            return Ok(Run { events: done - from, seconds, cpu: Reading::of_host(watch).await?.since(cpu) });
        }
        sleep(Duration::from_millis(20)).await;
    }
}
