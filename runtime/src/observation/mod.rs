//! What a person or a Prometheus wants to know of a host, kept as data: no I/O, no clock.
//!
//! An invocation that ends passes through these files: `observations` counts it, `histogram` keeps
//! how long such took, `recent` the last of them, `failures` those that failed, grouped by what
//! they look like. A line that a function prints passes through `emf`, which reads metrics in
//! `CloudWatch`'s embedded format out of it, and `series`, which adds them up under `names` that
//! clash with no other. `exposition` writes any of it as Prometheus reads it. `repeats` says which
//! of the errors that repeat are logged. The control page takes a snapshot for each request.
//!
//! Promises: memory is bounded, whatever functions print and however they fail; nobody who is
//! observed waits for those who look, beyond a short lock.

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
pub use exposition::{Exposition, Kind};
pub use failures::{FailureGroup, Failures, shape};
pub use histogram::{BOUNDS, Histogram};
pub use names::Renamed;
pub use observations::{
    Durations, Ended, Failure, FunctionObserver, Observations, RecentInvocation,
};
pub use recent::{Recent, shortened};
pub use repeats::{FIRST_AGAIN, LONGEST_AGAIN, Repeats};
pub use series::{MOST_SERIES, Series, Summed};
