//! `GET /_usher/status`: what runs, how far the sources are, what is in flight.

use std::any::Any;
use std::time::Instant;

use serde::Serialize;

use super::ControlState;
use crate::http::{KeyStatus, KeyStore};
use crate::instances::{FunctionStats, Memory, memory};
use crate::listener::budget::{BudgetStats, ConnectionBudget};
use crate::sources::EventSource;
use crate::sources::asynchronous::{AsyncEventSource, AsyncStats};
use crate::sources::kafka::{KafkaEventSource, MappingStatus};
use crate::sources::sqs::{SqsEventSource, SqsStatus};
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
    /// Kafka mappings.
    pub(super) mappings: Vec<MappingStatus>,
    pub(super) queues: Vec<SqsStatus>,
    /// Asynchronous events, by function.
    pub(super) events: Vec<AsyncStats>,
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
        mappings: of_kind(state, KafkaEventSource::snapshot),
        queues: of_kind(state, SqsEventSource::snapshot),
        events: of_kind(state, AsyncEventSource::stats).concat(),
        connections: state.budgets.iter().map(ConnectionBudget::stats).collect(),
        parts: state.parts.status(Instant::now()),
        keys: state.keys.as_deref().map(KeyStore::status),
    }
}

/// Snapshots of the sources of one kind.
fn of_kind<S: EventSource, T>(state: &ControlState, snapshot: fn(&S) -> T) -> Vec<T> {
    let of_kind = state.sources.iter().filter_map(|source| {
        let source: &dyn Any = &**source;
        source.downcast_ref::<S>()
    });
    of_kind.map(snapshot).collect()
}
