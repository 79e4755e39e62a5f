//! Lambda Managed Instances: a function's processes take several invocations at one time.

use std::ops::RangeInclusive;

/// Bounds of `PerExecutionEnvironmentMaxConcurrency` ("`LambdaManagedInstancesCapacityProviderConfig`"
/// in Lambda's API reference).
pub const MAX_CONCURRENCY: RangeInclusive<i64> = 1..=1_600;

/// Invocations for each vCPU where the template names no number: the default for Rust ("Rust
/// support for Lambda Managed Instances").
const PER_VCPU: u32 = 8;

/// GiB of memory for each vCPU where the template names none, the smallest ratio. Chosen.
pub const DEFAULT_GIB_PER_VCPU: f64 = 2.0;

/// How a function runs on a capacity provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedInstances {
    /// `PerExecutionEnvironmentMaxConcurrency`: invocations of one process at one time,
    /// 1..=1,600. The function reads it as `AWS_LAMBDA_MAX_CONCURRENCY`.
    pub max_concurrency: u32,
    /// `MaxExecutionEnvironments`, or `instances` of usher.toml: processes at one time at most;
    /// `None`: by `ReservedConcurrentExecutions`, else the host's limit.
    pub max_instances: Option<u32>,
}

impl ManagedInstances {
    /// The default number of invocations of one process: 8 for each whole vCPU. An execution
    /// environment has its memory divided by the memory of one vCPU, and one vCPU at least.
    pub fn default_concurrency(memory_mb: u32, gib_per_vcpu: f64) -> u32 {
        let vcpus = f64::from(memory_mb) / 1024.0 / gib_per_vcpu;
        PER_VCPU * (vcpus as u32).max(1)
    }
}

/// How processes of a function are started (`AWS_LAMBDA_INITIALIZATION_TYPE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Initialization {
    /// `on-demand`
    #[default]
    OnDemand,
    /// `lambda-managed-instances`
    ManagedInstances,
}

impl Initialization {
    /// The spelling of AWS.
    pub fn word(self) -> &'static str {
        match self {
            Self::OnDemand => "on-demand",
            Self::ManagedInstances => "lambda-managed-instances",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_eight_for_each_whole_vcpu() {
        let of = ManagedInstances::default_concurrency;
        assert_eq!(of(2_048, 2.0), 8);
        assert_eq!(of(4_096, 2.0), 16);
        assert_eq!(of(5_120, 2.0), 16, "two and a half vCPUs");
        assert_eq!(of(8_192, 8.0), 8);
        assert_eq!(of(32_768, 2.0), 128);
        assert_eq!(
            of(128, 2.0),
            8,
            "a function that only usher.toml makes managed"
        );
    }
}
