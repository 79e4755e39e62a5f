//! What the pool shows of itself.

use serde::Serialize;

/// A snapshot of every function.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Stats {
    /// By logical id, in template order.
    pub functions: Vec<FunctionStats>,
}

/// Counters since the host started, and the processes of now.
#[derive(Debug, Clone, Default, Serialize)]
pub struct FunctionStats {
    /// Logical id.
    pub function: String,
    /// Invocations that reached an instance or failed because none could be started.
    pub invocations: u64,
    /// Those that ended in a function error.
    pub errors: u64,
    /// Calls refused at the concurrency limit.
    pub throttles: u64,
    /// Processes started.
    pub cold_starts: u64,
    /// Invocations waiting for an instance.
    pub queued: usize,
    /// Processes at one time at most.
    pub limit: usize,
    /// The processes.
    pub instances: Vec<InstanceStats>,
}

/// One process.
#[derive(Debug, Clone, Serialize)]
pub struct InstanceStats {
    /// Number of the instance within the host.
    pub id: u64,
    /// Process id, which is also its process group.
    pub pid: Option<u32>,
    /// What it does.
    pub state: InstanceState,
    /// Invocations it was given.
    pub invocations: u64,
    /// Those that failed.
    pub errors: u64,
    /// What it works on.
    pub in_flight: Vec<InFlightStats>,
}

/// What an instance does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum InstanceState {
    /// Has not asked for its first event.
    Starting,
    /// Waits for an event.
    Idle,
    /// Works on one or more.
    Busy,
    /// Being ended.
    Stopping,
}

/// One invocation in flight.
#[derive(Debug, Clone, Serialize)]
pub struct InFlightStats {
    /// Request id.
    pub request_id: String,
    /// Records of the batch; 0 when it is not one.
    pub records: usize,
    /// Milliseconds since it was handed over.
    pub running_ms: u64,
}
