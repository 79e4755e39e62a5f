//! Fires schedules at the functions.

mod cron;
mod expression;

use tokio::sync::watch;

use crate::invocation::Invoker;
use crate::model::Schedule;

pub use expression::{Expression, zone};

/// Fires every enabled schedule until `shutdown` turns true, then waits for the runs in flight and returns.
pub async fn run(_schedules: Vec<Schedule>, _invoker: Invoker, _shutdown: watch::Receiver<bool>) {
    todo!()
}
