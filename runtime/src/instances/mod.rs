//! Function instances: one process each, driven over the Lambda Runtime API.
//!
//! [`pool`] finds the function of an invocation. [`machine`] decides which process receives it, and
//! when processes start, freeze and end: a pure machine. [`driver`] executes its actions and feeds
//! it with what happens.
//!
//! `process` starts executables in an `environment` of their own and reads their output, no faster
//! than `rate_limiter` allows; `runtime_api` answers the HTTP calls of a process, from the user
//! alone that `peer` finds; `failure` words errors as Lambda does. `logs` carries the lines of a
//! process, `records` words the platform's own lines, `log_record` the line of a
//! call, `log_target` writes it, `kept_log` keeps it in the state folder, and `tail` returns the last ones to a caller
//! that requested them. `stats` is the snapshot of it all; `reaper` ends the processes of a host
//! that was killed.
//!
//! Guarantees: an invocation is answered exactly once, whatever the process does, and after the
//! function's timeout at the latest; a crash fails what that process had in flight, and nothing
//! else; no process outlives the host.

mod driver;
mod environment;
mod failure;
mod kept_log;
mod log_record;
mod log_target;
mod logs;
mod machine;
mod peer;
mod pool;
mod process;
mod rate_limiter;
mod reaper;
mod records;
mod runtime_api;
mod stats;
mod tail;

pub(crate) use environment::arn;
pub use kept_log::{KeptLog, files as log_files};
pub(crate) use log_record::reason;
pub use log_record::{LogContent, LogRecord, LogStyle};
pub use logs::{HttpLog, LogFlush, Logs};
pub(crate) use pool::DEFAULT_CONCURRENCY;
pub use pool::{Pool, PoolOptions};
pub(crate) use process::{Memory, memory};
pub use records::{HttpCall, LogLine, PhaseStatus};
pub use stats::{FunctionStats, InFlightStats, InstanceState, InstanceStats, PoolStats};
pub use tail::LogTail;
