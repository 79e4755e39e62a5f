//! Memory of usher and the functions.

use std::collections::BTreeMap;

use anyhow::Result;
use ticket_rush::host::StatusClient;

use super::components::{Component, processes};
use crate::figures::{compared, group, heading};
use crate::resources::pss_bytes;

/// Bytes and number of processes by component.
pub(super) type Memory = BTreeMap<Component, (u64, usize)>;

pub(super) async fn read(watch: &StatusClient) -> Result<Memory> {
    let processes = processes(&watch.status().await?);
    let memory = processes.into_iter().map(|(component, pids)| {
        let bytes = pids.iter().filter_map(|pid| pss_bytes(*pid)).sum();
        (component, (bytes, pids.len()))
    });
    Ok(memory.collect())
}

pub(super) fn print(idle: &Memory, loaded: &Memory) {
    group(
        "Memory of the host and its functions",
        "proportional set size: a page that several processes share counts in part for each; \
         before and after the windows of the tables before",
    );
    heading(&["before, MiB", "after, MiB", "processes"]);
    let mebibytes = |bytes: u64| bytes as f64 / 1_048_576.0;
    let mut sums = [0, 0, 0];
    for (component, (bytes, count)) in loaded {
        let before = idle.get(component).map_or(0, |(bytes, _)| *bytes);
        let values = [mebibytes(before), mebibytes(*bytes), *count as f64];
        compared(component.name(), &values, "");
        let one = [before, *bytes, *count as u64];
        sums.iter_mut().zip(one).for_each(|(sum, one)| *sum += one);
    }
    let [before, after, count] = sums;
    compared(
        "all",
        &[mebibytes(before), mebibytes(after), count as f64],
        "",
    );
}
