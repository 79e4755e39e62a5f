//! Counters, recent invocations and metrics of a running host: no I/O, no clock.
//!
//! An invocation that ends passes through these files: `observations` counts it, `histogram` stores
//! its duration, `recent` keeps the last ones, `failures` groups those that failed. A line that a
//! function prints passes through `emf`, which parses metrics in `CloudWatch`'s embedded format,
//! and `series`, which sums them under unique `names`; one that reports a named alarm is counted by
//! `alarms`. `exposition` writes the result in
//! Prometheus' text format. `repeats` decides which repeated errors are logged. The control port
//! takes a snapshot for each request.
//!
//! Memory is bounded, whatever functions print and however often they fail. A reader blocks an
//! observed function only for the time of a short lock.

mod alarms;
mod emf;
mod exposition;
mod failures;
mod histogram;
mod names;
mod observations;
mod recent;
mod repeats;
mod series;

pub use alarms::{AlarmCounts, count_host_alarm, host_alarms};
pub use emf::{Point, points};
pub use exposition::{Exposition, MetricKind};
pub use failures::{FailureGroup, Failures, shape};
pub use histogram::{BOUNDS, Histogram};
pub use names::Renamed;
pub use observations::{
    Durations, Ended, Failure, FunctionObserver, Observations, RecentInvocation,
};
pub use recent::{Recent, shortened};
pub use repeats::{FIRST_AGAIN, MAX_INTERVAL, Repeats};
pub use series::{MAX_SERIES, Series, Summed};
