//! Function instances: one process each, spoken to over the Lambda Runtime API.
//!
//! An invocation passes through these files in this order:
//! [`pool`] finds the function; `dispatch` gives the job to a waiting instance, starts another or queues it;
//! `processes` says whether there is room for one more; `process` starts executables in an environment of their own, and reads what they print, no faster than `pace` allows; `runtime_api` and `extensions` answer the process' HTTP calls;
//! `instance` is what one process owes; `supervisor` watches over it: deadlines, exit, idleness; `failure` words what went wrong as Lambda does;
//! `logs` carries what the process prints, `records` words the platform's own lines, and `tail` the end of it to a caller who asked; `freezer` stops processes between
//! invocations where [`crate::faults`] says so; `stats` shows it all, `observed` tells those who watch; `guardian` leaves nobody behind if the host is killed.
//!
//! Promises: an invocation is answered exactly once, whatever the process does; it runs no longer than the function's
//! timeout; a crash fails only the invocation in flight; no process outlives the host.

mod dispatch;
mod environment;
mod extensions;
mod failure;
mod freezer;
mod guardian;
mod instance;
mod logs;
mod observed;
mod pace;
mod peer;
mod pool;
mod process;
mod processes;
mod records;
mod runtime_api;
mod stats;
mod supervisor;
mod tail;

pub(crate) use environment::arn;
pub(crate) use instance::epoch_ms;
pub use logs::{LogEnd, Logs};
pub(crate) use pool::DEFAULT_CONCURRENCY;
pub(crate) use pool::new_id;
pub use pool::{Pool, PoolOptions};
pub(crate) use process::{Memory, memory};
pub use records::{Line, Status};
pub use stats::{FunctionStats, InFlightStats, InstanceState, InstanceStats, Stats};
pub use tail::Tail;
