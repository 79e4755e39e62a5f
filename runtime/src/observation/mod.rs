//! Metrics and recent events of a host, for the control page and Prometheus. No I/O, no clock.
//!
//! Each ended invocation is counted by `observations`, which uses `histogram` for durations,
//! `recent` for the last invocations and `failures` for similar failures in groups. `emf` reads
//! metrics in `CloudWatch`'s embedded metric format from printed lines, `series` adds them up,
//! `names` gives them unique names. `exposition` writes Prometheus' text format. `repeats` decides
//! which repeated errors are logged.
//!
//! Memory is bounded, whatever functions print. Recording an observation takes a short lock only.

mod emf;
mod exposition;
mod failures;
mod histogram;
mod names;
mod observations;
mod recent;
mod repeats;
mod series;

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
