//! The empty function beside a misbehaving one, as a share of its rate alone. Runs alone come
//! before and after the others, so that a machine that changes speed favours neither.

use anyhow::Result;

use super::host::{self, Setup};
use super::{INSTANCES, Site, VALUE};
use crate::figures::{figure, group};

/// Maximum records of a batch.
const BATCH: u32 = 1_000;

/// What the other function does, and its label.
const NEIGHBOURS: [(&str, &str); 3] = [
    ("hang", "beside one that hangs"),
    ("crash", "beside one that crashes in a loop"),
    ("flood", "beside one that floods its log"),
];

pub(crate) async fn run(events: u32) -> Result<()> {
    let site = Site::filled("neighbours", events).await?;
    let events = u64::from(events);
    let configuration = format!(
        "{events} events of {VALUE} bytes, batches of {BATCH}, {INSTANCES} processes; the other \
         function has one process, a timeout of 3 s \
         and the same events, none of which it completes; the rate alone is that of two runs, \
         before and after the others"
    );
    group(
        "A function beside another that misbehaves, on one host",
        &configuration,
    );
    let own = Setup::classic(BATCH);
    let first = host::run(&site, events, &own).await?.rate();
    let mut beside = Vec::new();
    for (what, _) in NEIGHBOURS {
        let setup = Setup {
            neighbour: what,
            ..own.clone()
        };
        beside.push(host::run(&site, events, &setup).await?.rate());
    }
    let alone = f64::midpoint(first, host::run(&site, events, &own).await?.rate());
    figure("alone", alone, "events/s");
    for ((_, words), rate) in NEIGHBOURS.iter().zip(beside) {
        figure(words, rate, "events/s");
        figure("  of the rate alone", rate / alone, "");
    }
    site.strike().await
}
