//! Cache-invalidator: after a change of a program, no cache holds or accepts an older version.
//!
//! ```text
//! event --changes--> changes of programs --handler--> floor raised, older body dropped (one script)
//!                                        --> program-evicted --> the followers of all instances
//! ```
//!
//! Promises:
//! - A message is acknowledged when its floor is raised *and* the instances are notified. After a
//!   crash in between, redelivery repeats both, in any order; only the greatest version counts.
//! - A message that is not a change of a program is reported as failed until the redrive policy of
//!   the queue moves it to the dead-letter queue. Dead letters are then in one place, SQS can
//!   redrive them, and the function needs no permission to send. A standard queue delivers the
//!   other messages.

mod changes;
mod handler;
mod settings;

pub use handler::Invalidator;
pub use settings::Settings;
