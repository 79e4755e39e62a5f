//! Parts of a running host: each runs on its own, and one that ends is started again.
//!
//! A part is a source, a schedule, a listener, the queue of asynchronous events, the processes of a function, or what observes them.
//! `supervise` runs one, `backoff` says how long it waits before it starts the part again (pure), `registry` keeps what `/health`,
//! `/metrics` and the page show of all of them (pure).
//!
//! Promises: an error or a panic of one part ends neither the host nor another part; a part that ended is started again after a pause
//! between [`FIRST_PAUSE`] and [`LONGEST_PAUSE`]; it is named with its reason until it has run for [`STEADY`].

mod backoff;
mod registry;
mod supervise;

pub use backoff::{Backoff, FIRST_PAUSE, LONGEST_PAUSE, STEADY};
pub use registry::{Part, PartStatus, Registry};
pub(crate) use supervise::{panic_text, supervise, with_fault};
