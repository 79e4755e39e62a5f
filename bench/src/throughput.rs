//! The rate at which records are handled, and its cost.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use ticket_rush::host::StatusClient;
use ticket_rush::status::HostStatus;
use tokio::time::sleep;

use crate::cpu::Reading;

/// After this time without progress the measurement fails.
pub(crate) const STALLED: Duration = Duration::from_mins(1);

/// The records handled between the warm-up and the end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    pub done: u64,
    pub seconds: f64,
    pub cpu: f64,
}

impl Run {
    pub(crate) fn rate(self) -> f64 {
        self.done as f64 / self.seconds
    }

    pub(crate) fn cpu_per_million(self) -> f64 {
        self.cpu / self.done as f64 * 1e6
    }
}

/// Observes a host while its function handles `all` records of a topic, or messages of a queue. One
/// part in `warm` of them is warm-up.
pub(crate) async fn through_usher(
    watch: &StatusClient,
    function: &str,
    all: u64,
    warm: u64,
) -> Result<Run> {
    through_functions(watch, all, warm, |status| status.done(function)).await
}

/// As [`through_usher`], for what `done` counts.
pub(crate) async fn through_functions(
    watch: &StatusClient,
    all: u64,
    warm: u64,
    done: impl Fn(&HostStatus) -> u64,
) -> Result<Run> {
    let mut last = 0;
    let mut moved = Instant::now();
    let mut start = None;
    loop {
        let now = done(&watch.status().await?);
        if now != last {
            (last, moved) = (now, Instant::now());
        }
        ensure!(
            moved.elapsed() < STALLED,
            "nothing was done for {} s at {now} of {all}",
            STALLED.as_secs()
        );
        if start.is_none() && now >= all / warm {
            start = Some((now, Instant::now(), Reading::of_host(watch).await?));
        }
        if let (true, Some((from, clock, cpu))) = (now >= all, &start) {
            let seconds = clock.elapsed().as_secs_f64();
            return Ok(Run {
                done: now - from,
                seconds,
                cpu: Reading::of_host(watch).await?.since(cpu),
            });
        }
        sleep(Duration::from_millis(20)).await;
    }
}
