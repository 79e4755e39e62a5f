//! The status document of `usher`, at `GET /_usher/status`.

use serde::Deserialize;

/// Status of a host.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct HostStatus {
    /// Process id of the host.
    pub pid: u32,
    /// Functions.
    pub functions: Vec<FunctionStatus>,
    /// Kafka event source mappings.
    pub mappings: Vec<MappingStatus>,
    /// SQS event source mappings.
    #[serde(default)]
    pub queues: Vec<QueueStatus>,
}

/// Status of a function.
#[derive(Debug, Clone, Deserialize)]
pub struct FunctionStatus {
    /// Logical id.
    pub function: String,
    /// Invocations since the host started.
    pub invocations: u64,
    /// Failed invocations.
    pub errors: u64,
    /// Invocations refused at the concurrency limit.
    pub throttles: u64,
    /// Processes at one time at most.
    pub limit: usize,
    /// Invocations that each of them takes at one time.
    pub per_instance: usize,
    /// Its processes.
    pub instances: Vec<InstanceStatus>,
}

/// Status of an instance.
#[derive(Debug, Clone, Deserialize)]
pub struct InstanceStatus {
    /// Process id.
    pub pid: Option<u32>,
    /// `starting`, `idle`, `busy` or `stopping`.
    pub state: String,
    /// Invocations in flight.
    pub in_flight: Vec<InvocationStatus>,
}

/// An invocation in flight.
#[derive(Debug, Clone, Deserialize)]
pub struct InvocationStatus {
    /// Records of the batch; 0 if the event is no batch.
    pub records: usize,
}

/// Status of a Kafka event source mapping.
#[derive(Debug, Clone, Deserialize)]
pub struct MappingStatus {
    /// Logical id of its function.
    pub function: String,
    /// Completed records.
    pub records_done: u64,
    /// Batches that failed and were retried.
    pub failed_batches: u64,
    /// Partitions that this host owns.
    pub partitions: Vec<PartitionStatus>,
}

/// Status of an SQS event source mapping.
#[derive(Debug, Clone, Deserialize)]
pub struct QueueStatus {
    /// Logical id of its function.
    pub function: String,
    /// Messages that are done and deleted.
    pub deleted: u64,
}

/// Status of a partition.
#[derive(Debug, Clone, Deserialize)]
pub struct PartitionStatus {
    /// Topic.
    pub topic: String,
    /// Number.
    pub partition: i32,
    /// Next offset to complete.
    pub position: Option<i64>,
    /// End of the log.
    pub end: Option<i64>,
}

impl HostStatus {
    /// Finds the mapping of a function.
    pub fn mapping(&self, function: &str) -> Option<&MappingStatus> {
        self.mappings.iter().find(|m| m.function == function)
    }

    /// Records and messages that a function has completed.
    pub fn done(&self, function: &str) -> u64 {
        let records = self.mapping(function).map_or(0, |one| one.records_done);
        let queues = self.queues.iter().filter(|one| one.function == function);
        records + queues.map(|one| one.deleted).sum::<u64>()
    }

    /// Process ids of all instances.
    pub fn processes(&self) -> impl Iterator<Item = u32> + '_ {
        let instances = self.functions.iter().flat_map(|f| &f.instances);
        instances.filter_map(|i| i.pid)
    }

    /// Finds a function.
    pub fn function(&self, function: &str) -> Option<&FunctionStatus> {
        self.functions.iter().find(|f| f.function == function)
    }

    /// Process ids of the instances of a function.
    pub fn processes_of(&self, function: &str) -> impl Iterator<Item = u32> + '_ {
        let instances = self.function(function).into_iter();
        let instances = instances.flat_map(|f| &f.instances);
        instances.filter_map(|i| i.pid)
    }
}
