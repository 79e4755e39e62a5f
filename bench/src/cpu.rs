//! CPU seconds of processes, from /proc.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};
use ticket_rush::host::StatusClient;

/// Clock ticks of /proc per second, fixed in the interface of Linux.
const TICKS: f64 = 100.0;

/// CPU seconds by process, user and system together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reading(BTreeMap<u32, f64>);

impl Reading {
    /// The current times of these processes. Ended processes are left out.
    pub(crate) fn of(pids: impl IntoIterator<Item = u32>) -> Self {
        Self(
            pids.into_iter()
                .filter_map(|pid| Some((pid, seconds(pid)?)))
                .collect(),
        )
    }

    /// `usher` and its current function processes.
    pub(crate) async fn of_host(watch: &StatusClient) -> Result<Self> {
        let status = watch.status().await.context("usher's status")?;
        Ok(Self::of(
            std::iter::once(status.pid).chain(status.processes()),
        ))
    }

    /// This process.
    pub(crate) fn own() -> Self {
        Self::of([std::process::id()])
    }

    /// Seconds used since `before`. A process started since then counts from its start.
    pub(crate) fn since(&self, before: &Self) -> f64 {
        self.0
            .iter()
            .map(|(pid, now)| now - before.0.get(pid).copied().unwrap_or(0.0))
            .sum()
    }
}

fn seconds(pid: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may contain blanks and brackets, so count from behind it.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |n: usize| fields.get(n)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS)
}
