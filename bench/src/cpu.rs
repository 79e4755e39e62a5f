//! CPU seconds of processes, from /proc.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result};
use ticket_rush::host::StatusClient;

/// Clock ticks of /proc per second, fixed in the interface of Linux.
pub(crate) const TICKS: f64 = 100.0;

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

    /// A process with its children, the ended ones included, as one.
    pub(crate) fn of_family(parent: u32) -> Self {
        Self(
            seconds_of_family(parent)
                .map(|s| (parent, s))
                .into_iter()
                .collect(),
        )
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
    Some((stat(pid, 11)? + stat(pid, 12)?) as f64 / TICKS)
}

/// CPU seconds of a process with its children, the ended ones included. `None` if it has ended.
fn seconds_of_family(parent: u32) -> Option<f64> {
    // Times of children that ended and were waited for.
    let ended = (stat(parent, 13)? + stat(parent, 14)?) as f64 / TICKS;
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let living: f64 = processes
        .filter_map(|folder| folder.file_name().to_str()?.parse().ok())
        .filter(|pid| stat(*pid, 1) == Some(u64::from(parent)))
        .filter_map(seconds)
        .sum();
    Some(seconds(parent)? + ended + living)
}

/// A number of /proc/PID/stat, counted from the state of the process as 0.
pub(crate) fn stat(pid: u32, field: usize) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may contain blanks and brackets, so count from behind it.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    fields.nth(field)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_a_family_include_a_child_that_has_ended() {
        let own = std::process::id();
        let before = Reading::of_family(own);
        // Counts for longer than the resolution of /proc.
        let counting = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
        let child = std::process::Command::new("sh")
            .args(["-c", counting])
            .status();
        assert!(child.expect("a shell").success());
        assert!(Reading::of_family(own).since(&before) > 0.02);
    }
}
