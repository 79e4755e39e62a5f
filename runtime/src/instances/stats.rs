//! Snapshots of the pool for the status and the metrics.

use serde::Serialize;

/// Every function.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PoolStats {
    /// By logical id, in template order.
    pub functions: Vec<FunctionStats>,
}

/// One function: counts since the host started, and its processes.
#[derive(Debug, Clone, Default, Serialize)]
pub struct FunctionStats {
    /// Logical id.
    pub function: String,
    /// Invocations that reached an instance or failed because none could be started.
    pub invocations: u64,
    /// Invocations that ended in a function error.
    pub errors: u64,
    /// Calls refused at the concurrency limit.
    pub throttles: u64,
    /// Processes started.
    pub cold_starts: u64,
    /// Invocations waiting for an instance.
    pub queued: usize,
    /// Processes at one time at most.
    pub limit: usize,
    /// Invocations that each of them takes at one time: 1, but on managed instances.
    pub per_instance: usize,
    /// Its processes.
    pub instances: Vec<InstanceStats>,
}

/// One process.
#[derive(Debug, Clone, Serialize)]
pub struct InstanceStats {
    /// Number of the instance within the host.
    pub id: u64,
    /// Process id, which is also its process group.
    pub pid: Option<u32>,
    /// Its state.
    pub state: InstanceState,
    /// Invocations assigned to it.
    pub invocations: u64,
    /// Invocations that failed.
    pub errors: u64,
    /// Invocations in flight.
    pub in_flight: Vec<InFlightStats>,
}

/// The state of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum InstanceState {
    /// It has not called for its first event.
    Starting,
    /// It waits for an event.
    Idle,
    /// It works on one or more events.
    Busy,
    /// It is being ended.
    Stopping,
}

/// One invocation in flight.
#[derive(Debug, Clone, Serialize)]
pub struct InFlightStats {
    /// Request id.
    pub request_id: String,
    /// Records of the batch; 0 when it is not one.
    pub records: usize,
    /// Milliseconds since it started.
    pub running_ms: u64,
}
