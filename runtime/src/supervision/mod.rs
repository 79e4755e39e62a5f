//! Supervision of the host's components (`part` in the status and in metrics): one that ends is
//! restarted.
//!
//! A component is a source, a schedule, a listener, the queue of asynchronous events, the processes
//! of a function, or an observer of them. `supervise` runs one, `backoff` computes the pause before
//! a restart (pure), `registry` keeps the state of all for `/health`, `/metrics` and the page
//! (pure).
//!
//! Guarantees: an error or a panic of one component ends neither the host nor another component; a
//! component that ended is restarted after a pause between [`FIRST_PAUSE`] and [`LONGEST_PAUSE`];
//! it is reported with its reason until it has run for [`STEADY`].

mod backoff;
mod registry;
mod stage;
mod supervise;

pub use backoff::{Backoff, FIRST_PAUSE, LONGEST_PAUSE, STEADY};
pub use registry::{Component, ComponentRegistry, ComponentStatus};
pub use stage::DrainStage;
pub use supervise::{ComponentError, supervise};
pub(crate) use supervise::{panic_text, with_fault};
