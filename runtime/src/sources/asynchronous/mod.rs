//! Asynchronous invocations: events that the host accepts and invokes later.
//!
//! An event passes through these files in this order: `queue` accepts it, `store` writes it to the
//! file of `disk`, the machine of [`event_sources::asynchronous`] decides when it is attempted,
//! retried or discarded, `driver` executes that, `record` creates the documents for destinations
//! and `deliveries` sends them. `settings` derives the policies from the template, `stats` counts
//! events and classifies their health, `report` is what the host shows. `dead_letters` brings discarded events back.
//!
//! - An accepted event is on disk. It is invoked at least once, or discarded by the rules of its
//!   function, also across restarts of the host.
//! - It leaves the disk only after its destinations have received it.
//! - A function receives no more events at a time than it may have instances.

mod dead_letters;
mod deliveries;
mod disk;
mod driver;
mod error;
mod kind;
mod queue;
mod record;
mod report;
mod settings;
mod stats;
mod store;
#[cfg(test)]
mod store_tests;

pub(crate) use disk::{catch_panic, create_tables, open_file};
pub use driver::AsyncDriver;
pub use error::{EventStoreError, FileError, OpenError, OtherFormat};
pub use kind::{AsyncEventSource, AsyncSourceKind};
pub use queue::{AsyncEvent, AsyncQueue, MAX_EVENT, NotAccepted, open};
pub use settings::AsyncSettings;
pub use stats::AsyncStats;
