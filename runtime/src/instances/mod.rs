//! Function instances: one process each, driven over the Lambda Runtime API.
//!
//! An invocation passes through these files in this order: [`pool`] finds the function; `dispatch`
//! assigns the `job` to a waiting instance, starts another or queues it; `process_limit` bounds the
//! processes of all functions; `process` starts executables in an `environment` of their own and
//! reads their output, no faster than `rate_limiter` allows; `runtime_api` answers the HTTP calls
//! of a process; `instance` is the state of one process; `supervisor` enforces its deadlines and
//! cleans up after it; `failure` words errors as Lambda does. `runner` is what the instances of a
//! function share.
//!
//! `logs` carries the lines of a process, `records` words the platform's own lines, and `tail`
//! returns the last ones to a caller that requested them. `freezer` stops processes between
//! invocations where [`crate::faults`] says so; `stats` is the snapshot of it all; `reaper` ends
//! the processes of a host that was killed.
//!
//! Guarantees: an invocation is answered exactly once, whatever the process does; it runs no longer
//! than the function's timeout; a crash fails only the invocation in flight; no process outlives
//! the host.

mod dispatch;
mod environment;
mod failure;
mod freezer;
mod instance;
mod job;
mod logs;
mod peer;
mod pool;
mod process;
mod process_limit;
mod rate_limiter;
mod reaper;
mod records;
mod runner;
mod runtime_api;
mod stats;
mod supervisor;
mod tail;

pub(crate) use environment::arn;
pub use logs::{LogFlush, Logs};
pub(crate) use pool::DEFAULT_CONCURRENCY;
pub use pool::{Pool, PoolOptions};
pub(crate) use process::{Memory, memory};
pub use records::{LogLine, PhaseStatus};
pub use stats::{FunctionStats, InFlightStats, InstanceState, InstanceStats, PoolStats};
pub use tail::LogTail;
