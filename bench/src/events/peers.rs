//! The alternatives to a function under `usher`.

use anyhow::Result;
use serde::Deserialize;

use super::Site;
use crate::peers::{Built, MAVEN, Peer};
use crate::throughput::Run;

/// The measured peers.
pub(super) const ALL: [Peer; 2] = [WATERMILL, SPRING];

const WATERMILL: Peer = Peer {
    name: "Watermill 1.5 (Go), router, in its process",
    folder: "watermill",
    needs: &[&["go", "version"]],
};

/// The batch listener.
pub(super) const SPRING: Peer = Peer {
    name: "Spring Kafka 4 batch listener, in its process",
    folder: "spring",
    needs: MAVEN,
};

/// The last line that a peer prints.
#[derive(Deserialize)]
struct Report {
    events: u64,
    seconds: f64,
    cpu_seconds: f64,
}

/// Runs a peer.
pub(super) async fn run(peer: &Built, site: &Site, events: u64) -> Result<Run> {
    let settings = [
        ("BROKERS", site.servers.brokers.as_str()),
        ("TOPIC", &site.topic),
        ("EVENTS", &events.to_string()),
    ];
    let report: Report = peer.report(&settings).await?;
    Ok(Run {
        done: report.events,
        seconds: report.seconds,
        cpu: report.cpu_seconds,
    })
}
