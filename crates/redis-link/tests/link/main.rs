//! The link on real Redis.

mod cluster;
mod counter;
mod faults;
mod functions;
mod login;
mod secured;
mod sentinel;
mod tls;
mod write_guard;

use std::time::Duration;

/// The response timeout of a link: short, so that silence is detected early; long enough for a busy
/// machine.
const TIMEOUT: Duration = Duration::from_secs(2);
/// A link must work again so long after a fault.
const RECOVERY: Duration = Duration::from_secs(5);
