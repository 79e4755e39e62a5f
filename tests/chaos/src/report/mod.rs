//! The report: one HTML page that needs no network.
//!
//! | file | writes |
//! |---|---|
//! | `answers` | answers of each second, from the client log |
//! | `timeline` | the drawing: throughput, latency and faults over time |
//! | `page` | the page |
//! | `summary` | the result on the terminal |

mod answers;
mod page;
mod summary;
mod timeline;

use std::collections::BTreeMap;
use std::time::Duration;

pub use answers::{Answers, read};
pub use page::write;
pub use summary::print;

use crate::checker::Audit;
use crate::faults::Applied;

/// Everything that the page shows.
#[derive(Debug)]
pub struct Report {
    /// Seed of the run.
    pub seed: u64,
    /// The command that repeats it.
    pub command: String,
    /// How long buyers arrived.
    pub duration: Duration,
    /// How long after the last buyer everything was final and no data were left over; none if that
    /// never happened.
    pub settled_after: Option<Duration>,
    /// Faults in the order of their begin.
    pub faults: Vec<Applied>,
    /// Answers over time.
    pub answers: Answers,
    /// Number of orders by state.
    pub states: Vec<(String, i64)>,
    /// Accepted orders that a buyer could not see in a final state.
    pub open: Vec<String>,
    /// Answers that clients do not expect, by their text.
    pub unexpected: BTreeMap<String, u64>,
    /// What buyers received, by name.
    pub received: BTreeMap<&'static str, u64>,
    /// The last audit.
    pub audit: Audit,
}

impl Report {
    /// Whether no violation was found.
    pub fn passed(&self) -> bool {
        self.audit.ok && self.open.is_empty()
    }

    /// Number of orders that the checker compared.
    pub fn orders(&self) -> i64 {
        self.states.iter().map(|(_, count)| count).sum()
    }

    /// By kind: how many faults were applied, and how many were not.
    pub fn faults_by_kind(&self) -> BTreeMap<&'static str, [u64; 2]> {
        let mut kinds: BTreeMap<&'static str, [u64; 2]> = BTreeMap::new();
        for fault in &self.faults {
            let counts = kinds.entry(fault.kind.name()).or_default();
            counts[usize::from(fault.result.is_err())] += 1;
        }
        kinds
    }
}
