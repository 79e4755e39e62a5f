//! `GET /_usher/status`: what runs, how far the sources are, what is in flight.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::ControlState;
use crate::http::{KeyStatus, KeyStore};
use crate::instances::{FunctionStats, Memory, memory};
use crate::listener::budget::{BudgetStats, ConnectionBudget};
use crate::sources::{KINDS, KindStatus};
use crate::supervision::ComponentStatus;
use sam_template::model::SkippedFunction;

/// The response.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct HostStatus {
    pub(super) pid: u32,
    pub(super) stack: String,
    pub(super) started_ms: u64,
    /// Resident memory of this process, bytes; 0 where the system does not report it.
    pub(super) memory_bytes: u64,
    pub(super) functions: Vec<FunctionStats>,
    /// Functions of the template that this host cannot run.
    pub(super) skipped: Vec<SkippedStatus>,
    /// The sources of events: an array for each kind, under the name of its section.
    #[serde(flatten, serialize_with = "sections")]
    pub(super) sources: Vec<KindStatus>,
    /// Connections, by budget.
    pub(super) connections: Vec<BudgetStats>,
    /// Components of the host.
    pub(super) parts: Vec<ComponentStatus>,
    /// Keys for the JWT authorizers; `None`: there is no authorizer.
    pub(super) keys: Option<KeyStatus>,
}

/// A function that this host cannot run.
#[derive(Debug, Clone, Serialize)]
pub(super) struct SkippedStatus {
    /// Logical id.
    function: String,
    #[serde(flatten)]
    skipped: SkippedFunction,
}

pub(super) fn snapshot(state: &ControlState) -> HostStatus {
    let skipped = |(id, skipped): (&String, &SkippedFunction)| SkippedStatus {
        function: id.clone(),
        skipped: skipped.clone(),
    };
    HostStatus {
        pid: std::process::id(),
        stack: state.app.stack.clone(),
        started_ms: state.started_ms,
        memory_bytes: memory(std::process::id(), Memory::Resident).unwrap_or_default(),
        functions: state.pool.stats().functions,
        skipped: state.app.skipped.iter().map(skipped).collect(),
        sources: state.sources.statuses(),
        connections: state.budgets.iter().map(ConnectionBudget::stats).collect(),
        parts: state.parts.status(Instant::now()),
        keys: state.keys.as_deref().map(KeyStore::status),
    }
}

/// Every kind has its section, with or without sources.
fn sections<S: Serializer>(sources: &[KindStatus], serializer: S) -> Result<S::Ok, S::Error> {
    let empty = KINDS.iter().map(|kind| (kind.section(), Vec::new()));
    let mut sections: BTreeMap<&str, Vec<&Value>> = empty.collect();
    for (kind, status) in sources {
        let section = sections.entry(kind.section()).or_default();
        section.push(&status.entry);
    }
    sections.serialize(serializer)
}
