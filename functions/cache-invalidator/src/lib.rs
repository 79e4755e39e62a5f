//! The cache-invalidator: a committed change of a program becomes a floor that no older body gets past, and word to every instance.
//!
//! ```text
//! event --changes--> what each message says --handler--> floor raised, older body dropped (one script)
//!                                                        --> program-evicted --> the followers of all instances
//! ```
//!
//! Promises:
//! - A message is acknowledged when its floor is raised *and* the instances have been told. A crash in between is mended by redelivery:
//!   both may be repeated, in any order; only the greatest version counts.
//! - A message that is no change of a program is reported as failed, every time, until the queue's redrive policy sets it aside. So it is
//!   parked in one place with all other failures, is replayed by the queue's own means, and this function needs no right to send anywhere. It
//!   holds up nobody: a standard queue delivers the others.

mod changes;
mod handler;
mod settings;

pub use handler::Invalidator;
pub use settings::Settings;
