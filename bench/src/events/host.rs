//! The function under `usher`.

use anyhow::{Result, ensure};

use super::{INSTANCES, Site, WARM};
use crate::application::{Application, folder, managed, template};
use crate::throughput::{Run, through_usher};

/// How the function runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Model {
    /// A process for each batch in flight.
    Classic,
    /// As on Lambda Managed Instances: so many processes, with so many batches each.
    Managed(u32, u32),
}

/// One run.
#[derive(Debug, Clone)]
pub(super) struct Setup<'s> {
    /// Maximum records of a batch.
    pub(super) batch: u32,
    pub(super) model: Model,
    /// Name of the file in the run's folder to write latencies to.
    pub(super) latencies: Option<&'s str>,
    /// What a second function does.
    pub(super) neighbour: &'s str,
}

impl Setup<'_> {
    /// The function alone, in a process for each batch in flight.
    pub(super) fn classic(batch: u32) -> Self {
        Self {
            batch,
            model: Model::Classic,
            latencies: None,
            neighbour: "none",
        }
    }
}

/// Starts `bench/events`.
pub(super) async fn start(site: &Site, setup: &Setup<'_>) -> Result<Application> {
    let name = format!("{}-{:06x}", site.topic, rand::random::<u32>() >> 8);
    let latencies = setup.latencies.map(|file| {
        let folder = folder(&site.checkout, &name);
        folder.join(file).display().to_string()
    });
    let settings = match setup.model {
        Model::Classic => String::new(),
        Model::Managed(processes, batches) => managed("Noop", processes, batches),
    };
    let parameters = [
        ("Brokers", site.servers.brokers.clone()),
        ("Topic", site.topic.clone()),
        ("Group", name.clone()),
        ("BatchSize", setup.batch.to_string()),
        ("Instances", INSTANCES.to_string()),
        ("LatencyTo", latencies.unwrap_or_default()),
        ("Neighbour", setup.neighbour.to_owned()),
    ];
    let template = template(&site.checkout, "events")?;
    Application::start(&site.checkout, &name, &template, &settings, &parameters).await
}

/// Handles all events of the topic.
pub(super) async fn run(site: &Site, events: u64, setup: &Setup<'_>) -> Result<Run> {
    let running = start(site, setup).await?;
    let run = through_usher(&running.host.status_client(), "Noop", events, WARM).await?;
    let status = running.host.status_client().status().await?;
    let other = status.done("Neighbour");
    ensure!(
        other == 0,
        "the other function did not misbehave: {other} records are done"
    );
    running.stop().await?;
    Ok(run)
}
