//! What `usher` says of itself at `GET /_usher/status`.

use serde::Deserialize;

/// The whole picture.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Status {
    /// The host's process.
    pub pid: u32,
    /// Functions with their processes.
    pub functions: Vec<Function>,
    /// Kafka mappings with their partitions.
    pub mappings: Vec<Mapping>,
}

/// A function.
#[derive(Debug, Clone, Deserialize)]
pub struct Function {
    /// Logical id.
    pub function: String,
    /// Invocations since the host started.
    pub invocations: u64,
    /// Those that failed.
    pub errors: u64,
    /// Calls refused at the concurrency limit.
    pub throttles: u64,
    /// Processes started.
    pub cold_starts: u64,
    /// Its processes.
    pub instances: Vec<Instance>,
}

/// A process of a function.
#[derive(Debug, Clone, Deserialize)]
pub struct Instance {
    /// Process id.
    pub pid: Option<u32>,
    /// starting, idle, busy or stopping.
    pub state: String,
    /// What it works on.
    pub in_flight: Vec<InFlight>,
}

/// An invocation in flight.
#[derive(Debug, Clone, Deserialize)]
pub struct InFlight {
    /// Records of the batch; 0 when it is not one.
    pub records: usize,
}

/// A Kafka mapping.
#[derive(Debug, Clone, Deserialize)]
pub struct Mapping {
    /// Function's logical id.
    pub function: String,
    /// Consumer group.
    pub group: String,
    /// Records that are over with.
    pub records_done: u64,
    /// Batches that failed and were tried again.
    pub failed_batches: u64,
    /// Partitions that this host owns.
    pub partitions: Vec<Partition>,
}

/// A partition.
#[derive(Debug, Clone, Deserialize)]
pub struct Partition {
    /// Topic.
    pub topic: String,
    /// Number.
    pub partition: i32,
    /// Next offset to be done.
    pub position: Option<i64>,
    /// End of the log.
    pub end: Option<i64>,
}

impl Status {
    /// A function by logical id.
    pub fn function(&self, name: &str) -> Option<&Function> {
        self.functions.iter().find(|f| f.function == name)
    }

    /// The mapping of a function.
    pub fn mapping(&self, function: &str) -> Option<&Mapping> {
        self.mappings.iter().find(|m| m.function == function)
    }

    /// Every process of every function.
    pub fn processes(&self) -> impl Iterator<Item = u32> + '_ {
        self.functions
            .iter()
            .flat_map(|f| &f.instances)
            .filter_map(|i| i.pid)
    }
}
