//! Asynchronous invocations: events that are taken over before they run.
//!
//! An event passes through these files in this order: [`queue`] takes it once `store` has it on disk, in the file of `disk`; the pure machine of
//! `machine`, which knows the state of an event as `entry` has it, says when it is tried, tried again or given up;
//! `driver` obeys, invoking the function; `record` creates the documents for destinations, and `deliveries` sends them.
//!
//! Promises: an event that was accepted is on disk, and runs at least once or is given up by the rules of its function,
//! whatever happens to the host in between; it leaves the disk only after its destinations have taken their records;
//! a function gets no more events at a time than it may have instances, the others wait without holding anything.

mod deliveries;
mod disk;
mod driver;
mod queue;
mod record;
mod store;

pub use driver::Driver;
pub use queue::{AsyncStats, Event, MAX_EVENT, NotAccepted, Queue, Settings, open};
